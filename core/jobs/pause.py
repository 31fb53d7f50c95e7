"""A flag by which one thread asks another to hold on for a while."""

from __future__ import annotations

import threading

from core.jobs.cancel import CancelToken

# How soon a job that holds on notices that it is to end instead.
_LOOK_S = 0.1


class PauseToken:
    """Set and cleared by whoever drives a job; the job waits at it between items."""

    def __init__(self) -> None:
        self._running = threading.Event()
        self._running.set()

    def pause(self) -> None:
        """Ask the job to hold on at its next look."""
        self._running.clear()

    def resume(self) -> None:
        """Let the job go on."""
        self._running.set()

    @property
    def paused(self) -> bool:
        """Whether the job is asked to hold on."""
        return not self._running.is_set()

    def wait(self, cancel: CancelToken | None = None) -> None:
        """Return as soon as nobody asks to hold on.

        Args:
            cancel: Ends the waiting as well.

        Raises:
            CancelledError: `cancel` was set.
        """
        while not self._running.wait(_LOOK_S):
            if cancel is not None:
                cancel.check()
