"""One writer at a time, across processes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from core.catalogue.failure import shown
from core.errors import LibraryBusyError, LibraryError

LOCK_NAME = "writer.lock"


class WriterLock:
    """The right to index into a library. The operating system releases it when its holder dies.

    Args:
        folder: The library's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # A job's generator may be resumed by another thread than the one that began it.
        self._lock = FileLock(folder / LOCK_NAME, thread_local=False)
        # Several jobs of one process may hold it together; the file's own lock must be taken by one of them only.
        self._counting = threading.Lock()
        self._holders = 0

    @contextlib.contextmanager
    def held(self, *, timeout_s: float = 0.0) -> Iterator[None]:
        """Hold the lock inside the block; may be nested, and held by several threads.

        Args:
            timeout_s: How long to wait for another holder.

        Raises:
            LibraryBusyError: Another holder kept it for `timeout_s`.
            LibraryError: The lock file cannot be written.
        """
        with self._counting:
            if not self._holders:
                self._acquire(timeout_s)
            self._holders += 1
        try:
            yield
        finally:
            with self._counting:
                self._holders -= 1
                if not self._holders:
                    self._lock.release()

    def _acquire(self, timeout_s: float) -> None:
        try:
            self._lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise LibraryBusyError(
                f"Another Earshot is indexing the library in {shown(self._folder)}.",
                "Searching works meanwhile; wait until it is finished, or stop it, to index.",
            ) from error
        except (OSError, NotImplementedError) as error:
            raise LibraryError(
                f"The library in {shown(self._folder)} cannot be locked for writing: {error}.",
                "Check the permissions of the folder and that its disk is not full.",
            ) from error
