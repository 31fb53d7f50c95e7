"""Turns what SQLite and the file system complain of into sentences for the user."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from core.errors import LibraryBusyError, LibraryError

_DISK_FULL_WAY_OUT = "Free some space and run the command again; what was finished is kept."
_DAMAGED_WAY_OUT = "Restore the library's folder from a backup, or move it away and index your folders again."


@contextlib.contextmanager
def known_errors(folder: Path) -> Iterator[None]:
    """Raise a `LibraryError` for whatever the environment does to the database inside the block.

    Errors that are bugs of ours, such as a violated constraint, pass through as they are.

    Args:
        folder: The library's folder, named in the message.
    """
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error) and (known := _translate(error.orig, folder)) is not None:
            raise known from error
        raise
    except sqlite3.Error as error:
        if (known := _translate(error, folder)) is not None:
            raise known from error
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LibraryError(_disk_full(folder), _DISK_FULL_WAY_OUT) from error
        raise


def _disk_full(folder: Path) -> str:
    return f"The disk is full: the library in {shown(folder)} cannot grow."


def shown(path: Path | str) -> str:
    """A path as text that any terminal can print."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _translate(error: sqlite3.Error, folder: Path) -> LibraryError | None:
    name = getattr(error, "sqlite_errorname", "") or ""
    place = shown(folder)
    match name.split("_")[1] if "_" in name else "":
        case "FULL":
            return LibraryError(_disk_full(folder), _DISK_FULL_WAY_OUT)
        case "NOTADB" | "CORRUPT":
            return LibraryError(f"The library in {place} is damaged.", _DAMAGED_WAY_OUT)
        case "BUSY" | "LOCKED":
            return LibraryBusyError(f"Another program is using the library in {place}.", "Wait a moment and try again.")
        case "READONLY" | "PERM" | "AUTH":
            return LibraryError(f"The library in {place} cannot be written.", "Check the permissions of the folder.")
        case "CANTOPEN":
            return LibraryError(
                f"The library in {place} cannot be opened.", "Check that the folder exists and its permissions."
            )
        case "IOERR":
            return LibraryError(
                f"The disk failed while the library in {place} was read or written.",
                "Check the disk and its connection, then try again.",
            )
    return None
