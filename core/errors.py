"""Errors that the environment causes, as opposed to bugs."""

from __future__ import annotations


class KnownError(Exception):
    """Something outside the program went wrong, and the user can be told what and what to do.

    Args:
        message: One sentence that says what happened, in the user's words.
        way_out: One sentence that says what to do about it, or an empty string.
    """

    def __init__(self, message: str, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.message} {self.way_out}".strip()


class UnusableFileError(KnownError):
    """A file that cannot be indexed; its message is the reason that `earshot skipped` shows."""


class LibraryError(KnownError):
    """The library on disk cannot be opened or written."""


class LibraryBusyError(LibraryError):
    """Another process is writing to this library."""


class SchemaTooNewError(LibraryError):
    """The library was written by a newer version of the program."""


class ModelError(KnownError):
    """A model folder is missing, incomplete or of another kind than its card says."""


class QueryError(KnownError):
    """A query cannot be understood."""


class CancelledError(Exception):
    """Raised inside a job when its cancel token was set."""
