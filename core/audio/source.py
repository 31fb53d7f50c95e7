"""Opening a file that may be anything at all, with a reason for a person when it cannot be read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from core.errors import UnusableFileError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# A pipe without a writer must not block, a terminal must not become ours, and Windows must not translate line ends.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))


def open_source(path: Path) -> BinaryIO:
    """Open a regular file for reading; any name the file system has is fine.

    Raises:
        UnusableFileError: It is missing, unreadable, empty or no regular file.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise UnusableFileError(*_opening_reason(path, error)) from error
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            kind = next((kind for test, kind in _KINDS if test(state.st_mode)), "no regular file")
            raise UnusableFileError(f"This is {kind}, not a file with sound.")
        if not state.st_size:
            raise UnusableFileError("The file is empty.")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def reading_error(error: OSError) -> UnusableFileError:
    """The reason when an open file stops being readable."""
    return UnusableFileError(
        f"The file could not be read to its end ({os.strerror(error.errno or errno.EIO)}).",
        "Check the disk or the network drive it lies on.",
    )


def _opening_reason(path: Path, error: OSError | ValueError) -> tuple[str, str]:
    if isinstance(error, ValueError):
        return "The file's name contains a zero byte.", ""
    if isinstance(error, FileNotFoundError):
        if path.is_symlink():
            return "The link leads to a file that does not exist.", ""
        return "The file is no longer there.", ""
    if isinstance(error, PermissionError):
        if path.is_dir():  # what Windows says of a folder
            return "This is a folder, not a file with sound.", ""
        return "The file may not be read.", "Give yourself the permission to read it."
    if error.errno == errno.ELOOP:
        return "The links lead in a circle.", ""
    if error.errno == errno.ENXIO:
        return "This is a socket or a device, not a file with sound.", ""
    return f"The file could not be opened ({os.strerror(error.errno or errno.EIO)}).", ""
