"""Runs the core's jobs on executors and hands what they say to the main thread.

A job of the core is a generator of events that checks a cancel token. `JobRunner.run` pulls one on a thread of its own
pool; `JobRunner.call` does the same for one function. Whatever comes out waits in a deque, and **one** queued signal of
the runner (never of a worker) tells the main thread to empty it. Nothing is terminated: a job ends when it looks at
its token, or at its next event.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from app.errors import ErrorCentre
from core.errors import CancelledError, KnownError
from core.jobs import CancelToken, Event, Progress

T = TypeVar("T")

MOST_JOBS = 6
MOST_CALLS = 4
# Callbacks run for this long at most before the main thread may paint and take keys again.
_TURN_S = 0.008

_log = logging.getLogger(__name__)


class JobHandle:
    """What became of a job, and the means to stop it. Made by `JobRunner`; use it from the main thread.

    Pausing holds the job back between two events; a job that can rest better by itself is given its own pause token.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.token = CancelToken()
        self.error: BaseException | None = None
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._is_running = True

    @property
    def is_running(self) -> bool:
        """True until the callback that ends the job is delivered, or the job was let go at shutdown."""
        return self._is_running

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self.token.cancelled

    @property
    def is_paused(self) -> bool:
        """Whether it is held back between two events."""
        return not self._may_go_on.is_set()

    def cancel(self) -> None:
        """Ask the job to stop; it then ends by `on_finished`. What it has posted already is still delivered."""
        self.token.cancel()
        self._may_go_on.set()

    def pause(self) -> None:
        """Hold the job back at its next event."""
        if not self.token.cancelled:
            self._may_go_on.clear()

    def resume(self) -> None:
        """Let it go on."""
        self._may_go_on.set()

    def wait_while_paused(self) -> None:
        """For the job's thread: return when it may go on or was cancelled."""
        self._may_go_on.wait()

    def end(self) -> None:
        """For the runner: nothing follows any more."""
        self._is_running = False


@dataclass(frozen=True, slots=True)
class _Message:
    """One callback that the main thread owes to a job."""

    handle: JobHandle
    callback: Callable[..., object] | None
    arguments: tuple[Any, ...] = ()
    is_last: bool = False


class JobRunner(QObject):
    """Runs jobs and calls; their callbacks run on the thread that made the runner, in the order of posting.

    A callback that is a method of a destroyed QObject is dropped. An exception in a callback is a bug and goes to the
    exception hook; later callbacks still come.

    Args:
        errors: Where failures go that nobody asked for.
        parent: Owner.
    """

    _posted = Signal()
    busy_changed = Signal(bool)

    def __init__(self, errors: ErrorCentre, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._errors = errors
        self._jobs = ThreadPoolExecutor(MOST_JOBS, "job")
        self._calls = ThreadPoolExecutor(MOST_CALLS, "call")
        self._lock = threading.Lock()
        self._messages: deque[_Message] = deque()
        self._is_announced = False
        self._is_shut = False
        self._running: dict[JobHandle, Future[None]] = {}
        self._posted.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether any job or call has not ended, its last callback included."""
        return bool(self._running)

    def running(self) -> tuple[JobHandle, ...]:
        """Jobs and calls that have not ended, oldest first."""
        return tuple(self._running)

    def run(
        self,
        job: Callable[[CancelToken], Iterator[Event]],
        *,
        on_event: Callable[[Event], object] | None = None,
        on_finished: Callable[[], object] | None = None,
        on_failed: Callable[[BaseException], object] | None = None,
        name: str = "",
    ) -> JobHandle:
        """Start a generator job.

        Args:
            job: Called on the job's thread with the token that `JobHandle.cancel` sets; gives the events.
            on_event: Gets every event, but of successive `Progress` of one stage that pile up only the newest.
            on_finished: Called when the job has ended by itself or was cancelled (see `JobHandle.is_cancelled`).
            on_failed: Called with what it raised; without it known errors and bugs go to the error centre.
            name: For the log.
        """
        handle = JobHandle(name or getattr(job, "__name__", "job"))

        def drive() -> None:
            events = job(handle.token)
            try:
                for event in events:
                    self._post(_Message(handle, on_event, (event,)))
                    handle.wait_while_paused()
                    if handle.token.cancelled:
                        break
            finally:
                # Runs the job's own clean-up now and on this thread, not when the generator is collected.
                close = getattr(events, "close", None)
                if close is not None:
                    close()

        return self._start(self._jobs, handle, drive, on_result=on_finished, on_failed=on_failed, gives=False)

    def call(
        self,
        work: Callable[[], T],
        *,
        on_result: Callable[[T], object] | None = None,
        on_failed: Callable[[BaseException], object] | None = None,
        name: str = "",
    ) -> JobHandle:
        """Do one thing in the background; a call that was cancelled before it began is not done at all.

        Args:
            work: Called on another thread.
            on_result: Gets what it returned, unless the handle was cancelled meanwhile.
            on_failed: Called with what it raised; without it known errors and bugs go to the error centre.
            name: For the log.
        """
        handle = JobHandle(name or getattr(work, "__name__", "call"))
        return self._start(self._calls, handle, work, on_result=on_result, on_failed=on_failed, gives=True)

    def shutdown(self, timeout_s: float = 2.0) -> bool:
        """Cancel everything, wait for it, and deliver nothing any more.

        Returns:
            Whether every thread has come to rest; one that is inside foreign code may take longer than `timeout_s`.
        """
        with self._lock:
            self._is_shut = True
            self._messages.clear()
        for handle in self._running:
            handle.cancel()
        for pool in (self._jobs, self._calls):
            pool.shutdown(wait=False, cancel_futures=True)
        # `wait` would wait in vain for what was cancelled before it began.
        begun = [future for future in self._running.values() if not future.cancelled()]
        _, unfinished = wait(begun, timeout=timeout_s)
        for handle, future in self._running.items():
            if future in unfinished:
                _log.warning("still running at shutdown: %s", handle.name)
            handle.end()
        self._running.clear()
        if not unfinished:
            for pool in (self._jobs, self._calls):
                pool.shutdown(wait=True)
        return not unfinished

    def _start(
        self,
        pool: ThreadPoolExecutor,
        handle: JobHandle,
        work: Callable[[], Any],
        *,
        on_result: Callable[..., object] | None,
        on_failed: Callable[[BaseException], object] | None,
        gives: bool,
    ) -> JobHandle:
        def do() -> None:
            try:
                if gives and handle.token.cancelled:
                    raise CancelledError
                result = work()
            except CancelledError:
                handle.token.cancel()
                self._post(_Message(handle, None if gives else on_result, is_last=True))
            except BaseException as error:  # noqa: BLE001 - the edge of the job: everything goes to one place
                handle.error = error
                self._post(_Message(handle, on_failed or self._report, (error,), is_last=True))
            else:
                self._post(_Message(handle, on_result, (result,) if gives else (), is_last=True))

        if self._is_shut:
            handle.cancel()
            handle.end()
            return handle
        was_busy = self.is_busy
        self._running[handle] = pool.submit(do)
        if not was_busy:
            self.busy_changed.emit(True)
        return handle

    def _post(self, message: _Message) -> None:
        """Queue a callback from any thread; a newer progress of the same stage replaces one that still waits."""
        with self._lock:
            if self._is_shut:
                return
            last = self._messages[-1] if self._messages else None
            if last is not None and last.handle is message.handle and _replaces(message, last):
                self._messages[-1] = message
            else:
                self._messages.append(message)
            must_announce = not self._is_announced
            self._is_announced = True
        if must_announce:
            self._posted.emit()

    def _deliver(self) -> None:
        """Run callbacks for a turn; the rest waits for the next one, also when a callback raised."""
        end = time.perf_counter() + _TURN_S
        try:
            while time.perf_counter() < end:
                with self._lock:
                    if not self._messages:
                        return
                    message = self._messages.popleft()
                self._hand_over(message)
        finally:
            with self._lock:
                self._is_announced = bool(self._messages)
                must_announce = self._is_announced
            if must_announce:
                self._posted.emit()

    def _hand_over(self, message: _Message) -> None:
        if message.is_last:
            message.handle.end()
            self._running.pop(message.handle, None)
            if not self._running:
                self.busy_changed.emit(False)
        callback = message.callback
        if callback is None or not _has_living_owner(callback):
            return
        if message.handle.token.cancelled and message.handle.error is None and message.arguments and message.is_last:
            return  # the result of a call that nobody waits for any more
        callback(*message.arguments)

    def _report(self, error: BaseException) -> None:
        if isinstance(error, KnownError):
            self._errors.known(error)
        else:
            self._errors.bug(error)


def _replaces(message: _Message, last: _Message) -> bool:
    if message.is_last or not (message.arguments and last.arguments):
        return False
    new, old = message.arguments[0], last.arguments[0]
    return isinstance(new, Progress) and isinstance(old, Progress) and new.stage == old.stage


def _has_living_owner(callback: Callable[..., object]) -> bool:
    owner = getattr(callback, "__self__", None)
    return not isinstance(owner, QObject) or shiboken6.isValid(owner)
