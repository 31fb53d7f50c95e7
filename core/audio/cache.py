"""A folder of files that can be made again, kept below a size; those used longest ago go first."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from core.errors import KnownError

_log = logging.getLogger(__name__)

_TEMPORARY = ".part"


class CacheError(KnownError):
    """The cache's folder cannot be written."""


class CacheFolder:
    """Files by key. Any number of threads and programs may use one folder.

    Args:
        folder: Where; made at the first need. Nothing else may live there.
        limit_bytes: What `trim` leaves.
        spared_s: `trim` leaves alone what was used within so many seconds, whatever the limit.
    """

    def __init__(self, folder: Path, limit_bytes: int, *, spared_s: float = 0.0) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.spared_s = spared_s
        self._lock = threading.Lock()
        self._in_use: dict[Path, int] = {}

    def path(self, key: Iterable[object], name: str) -> Path:
        """Where the file of a key lies or will lie.

        Args:
            key: Whatever tells files apart; their representations count.
            name: How its name ends, for a person.
        """
        digest = hashlib.sha256("\0".join(map(repr, key)).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self.folder / digest / name

    def found(self, path: Path) -> bool:
        """Whether a file is there; if so, it counts as used now."""
        try:
            os.utime(path)
        except OSError:
            return False
        return True

    def write(self, path: Path, fill: Callable[[Path], None]) -> None:
        """Make a file; others see it whole or not at all.

        Args:
            path: From `path`.
            fill: Writes it, to another path.

        Raises:
            CacheError: The folder cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=_TEMPORARY)
        except OSError as error:
            raise self._failed(error) from error
        part = Path(name)
        try:
            os.close(descriptor)
            fill(part)
            part.replace(path)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            part.unlink(missing_ok=True)

    def hold(self, path: Path) -> None:
        """Keep a file whatever its age, until as many calls of `release`."""
        with self._lock:
            self._in_use[path] = self._in_use.get(path, 0) + 1

    def release(self, path: Path) -> None:
        """See `hold`."""
        with self._lock:
            self._in_use[path] = self._in_use.get(path, 1) - 1
            if self._in_use[path] <= 0:
                del self._in_use[path]

    def trim(self) -> int:
        """Delete what was used longest ago until the rest is below the limit; returns the bytes left."""
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*/*") if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        left = sum(size for _, size, _ in found)
        spared_from = time.time() - self.spared_s
        for used_at, size, path in sorted(found):
            if left <= self.limit_bytes or (self.spared_s and used_at > spared_from):
                break
            with self._lock:
                if self._in_use.get(path):
                    continue
                try:
                    path.unlink()
                except OSError as error:  # open elsewhere, on Windows
                    _log.debug("%s stays: %s", path, error)
                    continue
            left -= size
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        return left

    def _failed(self, error: OSError) -> CacheError:
        return CacheError(
            f"The cache in {self.folder} cannot be written ({os.strerror(error.errno or 0)}).",
            "Make room on that disk, or choose another place for the cache in the preferences.",
        )
