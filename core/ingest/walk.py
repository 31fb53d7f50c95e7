"""Finds the sounds below a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from core.audio.decode import is_audio_candidate
from core.catalogue.record import FoundFile

_IGNORED_FOLDERS = frozenset({"__MACOSX", "$RECYCLE.BIN", "System Volume Information"})

_KINDS = (
    (stat.S_ISFIFO, "It is a pipe, not a file."),
    (stat.S_ISSOCK, "It is a socket, not a file."),
    (stat.S_ISCHR, "It is a device, not a file."),
    (stat.S_ISBLK, "It is a device, not a file."),
    (stat.S_ISDIR, "It is a folder, not a file."),
)


class FolderWalk:
    """One walk through a root.

    Hidden files and folders are left out, and with them the ``._`` files that macOS writes beside others. Links to
    folders are followed, after all real folders, so that a folder that can be reached in several ways is known by its
    real path; no folder is entered twice, which also breaks loops. Links to files that the walk finds anyway are left
    out.

    Args:
        root: Where to begin.
        apart: Other roots, whose files belong to them.
    """

    def __init__(self, root: Path, *, apart: Sequence[Path] = ()) -> None:
        self._root = str(root)
        self._bases = [self._root, *map(str, apart)]
        self._entered: set[tuple[int, int]] = set()
        for path in apart:
            with contextlib.suppress(OSError):  # it may be offline
                self._enter(str(path))
        self._folders: list[str] = []
        self._links: deque[str] = deque()
        self._file_links: list[str] = []
        self.unreadable: list[tuple[str, str]] = []
        """Folders that could not be looked into, relative to the root, with the reason."""

    def files(self) -> Iterator[FoundFile]:
        """The files with an extension of sounds, as they are met. To be called once."""
        self._folders.append("")
        while self._folders or self._links:
            folder = self._folders.pop() if self._folders else self._links.popleft()
            try:
                if self._enter(self._full(folder)):
                    yield from self._entries(folder)
            except OSError as error:
                self.unreadable.append((folder, _reason(error, "The folder cannot be read")))
        for link in self._file_links:
            if not self._is_met_anyway(link):
                yield from self._file(link)

    def _entries(self, folder: str) -> Iterator[FoundFile]:
        with os.scandir(self._full(folder)) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _IGNORED_FOLDERS:
                    continue
                relative = os.path.join(folder, entry.name)  # noqa: PTH118 - for 100,000 entries
                if entry.is_symlink():
                    yield from self._link(relative)
                elif entry.is_dir(follow_symlinks=False):
                    self._folders.append(relative)
                elif _is_candidate(entry.name):
                    yield from self._file(relative, entry)

    def _link(self, relative: str) -> Iterator[FoundFile]:
        full = self._full(relative)
        if os.path.isdir(full):  # noqa: PTH112 - for 100,000 entries
            self._links.append(relative)
        elif _is_candidate(relative):
            try:
                os.stat(full)  # noqa: PTH116
            except OSError as error:
                own = os.lstat(full)
                yield FoundFile(relative, own.st_size, own.st_mtime_ns, _link_reason(error))
            else:
                self._file_links.append(relative)

    def _file(self, relative: str, entry: os.DirEntry[str] | None = None) -> Iterator[FoundFile]:
        try:
            status = entry.stat() if entry is not None else os.stat(self._full(relative))  # noqa: PTH116
        except FileNotFoundError:
            return  # It went while the folder was read.
        except OSError as error:
            yield FoundFile(relative, 0, 0, _reason(error, "The file cannot be read"))
            return
        problem = ""
        if not stat.S_ISREG(status.st_mode):
            problem = next(
                (reason for is_kind, reason in _KINDS if is_kind(status.st_mode)), "It is not a regular file."
            )
        yield FoundFile(relative, status.st_size, status.st_mtime_ns, problem)

    def _enter(self, folder: str) -> bool:
        """Whether a folder was not entered before."""
        try:
            status = os.stat(folder)  # noqa: PTH116
        except FileNotFoundError:
            return False
        identity = (status.st_dev, status.st_ino)
        if identity in self._entered:
            return False
        self._entered.add(identity)
        return True

    def _is_met_anyway(self, link: str) -> bool:
        target = os.path.realpath(self._full(link))
        if not _is_candidate(target):
            return False
        for base in self._bases:
            prefix = base.rstrip(os.sep) + os.sep
            if target.startswith(prefix):
                parts = Path(target[len(prefix) :]).parts
                return not any(part.startswith(".") or part in _IGNORED_FOLDERS for part in parts)
        return False

    def _full(self, relative: str) -> str:
        return os.path.join(self._root, relative) if relative else self._root  # noqa: PTH118


def _is_candidate(name: str) -> bool:
    return _is_extension_of_sound(os.path.splitext(name)[1])  # noqa: PTH122 - for 100,000 entries


@lru_cache(maxsize=1_000)
def _is_extension_of_sound(extension: str) -> bool:
    return is_audio_candidate(Path(f"_{extension}"))


def _reason(error: OSError, what: str) -> str:
    return f"{what}: {error.strerror or error}."


def _link_reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "It is a link that leads back to itself."
    if isinstance(error, FileNotFoundError):
        return "It is a link to a file that does not exist."
    return _reason(error, "It is a link to a file that cannot be reached")
