"""A flag by which one thread asks another to stop."""

from __future__ import annotations

import threading

from core.errors import CancelledError


class CancelToken:
    """Set once by whoever wants a job to end; checked by the job between items."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop at its next check."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise CancelledError if a stop was asked for."""
        if self._event.is_set():
            raise CancelledError
