from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject, QThread
from pytestqt.exceptions import capture_exceptions

from app.jobs import JobRunner
from core.errors import CancelledError, LibraryError
from core.jobs import CancelToken, Event, Notice, Progress, Skipped


class Waiting:
    """A job that says when it began and goes on when it is told to."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.cleaned_up = threading.Event()

    def __call__(self, cancel: CancelToken) -> Iterator[Event]:
        try:
            yield Notice("begun")
            self.began.set()
            while not self.go_on.wait(0.01):
                cancel.check()
            yield Notice("gone on")
        finally:
            self.cleaned_up.set()


def test_that_events_arrive_in_order_on_the_main_thread(runner, qtbot, until_idle, qapp):
    seen: list[tuple[object, bool]] = []

    def job(cancel: CancelToken) -> Iterator[Event]:
        assert QThread.currentThread() is not qapp.thread()
        yield Skipped("a.wav", "damaged")
        yield Notice("half")
        yield Progress("scan", 1, 2)
        yield Progress("index", 1, 2)

    def note(what: object) -> None:
        seen.append((what, threading.current_thread() is threading.main_thread()))

    handle = runner.run(job, on_event=note, on_finished=lambda: note("finished"))
    assert handle.is_running
    until_idle()
    assert [what for what, _ in seen] == [
        Skipped("a.wav", "damaged"),
        Notice("half"),
        Progress("scan", 1, 2),
        Progress("index", 1, 2),
        "finished",
    ]
    assert all(on_main for _, on_main in seen)
    assert not handle.is_running
    assert not handle.is_cancelled


def test_that_progress_that_piles_up_is_told_once_and_nothing_else_is_lost(runner, until_idle):
    done = threading.Event()
    seen: list[Event] = []

    def job(cancel: CancelToken) -> Iterator[Event]:
        for number in range(1_000):
            yield Progress("index", number, 1_000)
            if number == 500:
                yield Skipped("b.wav", "empty")
        done.set()

    runner.run(job, on_event=seen.append)
    assert done.wait(10)  # the main thread was busy until here: everything has piled up
    until_idle()
    assert seen == [Progress("index", 500, 1_000), Skipped("b.wav", "empty"), Progress("index", 999, 1_000)]


def test_that_cancelling_ends_a_job_by_its_own_check_and_runs_its_clean_up(runner, qtbot, until_idle):
    job, finished, failed = Waiting(), [], []
    handle = runner.run(job, on_finished=lambda: finished.append(True), on_failed=failed.append)
    assert job.began.wait(10)
    handle.cancel()
    until_idle()
    assert job.cleaned_up.is_set()
    assert finished == [True]
    assert failed == []
    assert handle.is_cancelled


def test_that_a_paused_job_does_not_go_on_until_it_is_resumed(runner, qtbot, until_idle):
    after = threading.Event()

    def job(cancel: CancelToken) -> Iterator[Event]:
        yield Notice("one")
        after.set()
        yield Notice("two")

    seen: list[Event] = []
    first_step = threading.Event()

    def gate(cancel: CancelToken) -> Iterator[Event]:
        first_step.wait(10)
        yield from job(cancel)

    handle = runner.run(gate, on_event=seen.append)
    handle.pause()
    first_step.set()
    qtbot.waitUntil(lambda: seen == [Notice("one")])
    assert handle.is_paused
    assert not after.wait(0.05)
    handle.resume()
    until_idle()
    assert seen == [Notice("one"), Notice("two")]


def test_that_a_paused_job_can_be_cancelled(runner, qtbot, until_idle):
    seen: list[Event] = []

    def job(cancel: CancelToken) -> Iterator[Event]:
        while True:
            yield Notice("again")

    handle = runner.run(job, on_event=seen.append)
    handle.pause()
    handle.cancel()
    until_idle()
    assert not handle.is_running


def test_that_a_known_error_goes_to_the_centre_when_nobody_asked_for_it(runner, errors, qtbot):
    def job(cancel: CancelToken) -> Iterator[Event]:
        yield Notice("one")
        raise LibraryError("The disk is full.", "Make room.")

    with qtbot.waitSignal(errors.known_raised) as raised:
        runner.run(job)
    assert str(raised.args[0]) == "The disk is full. Make room."


def test_that_a_bug_in_a_call_becomes_a_report(runner, errors, qtbot, expected_log):
    expected_log.append("unexpected ZeroDivisionError")
    with qtbot.waitSignal(errors.bug_raised) as raised:
        runner.call(lambda: 1 // 0, name="divide")
    assert "ZeroDivisionError" in raised.args[0]


def test_that_a_failure_is_given_to_who_asked_for_it(runner, until_idle):
    failures: list[BaseException] = []
    handle = runner.call(lambda: 1 // 0, on_failed=failures.append)
    until_idle()
    assert isinstance(failures[0], ZeroDivisionError)
    assert handle.error is failures[0]


def test_that_a_call_gives_its_result_on_the_main_thread(runner, until_idle):
    results: list[tuple[int, bool]] = []
    runner.call(lambda: 6 * 7, on_result=lambda value: results.append((value, on_main())))
    until_idle()
    assert results == [(42, True)]


def test_that_the_result_of_a_cancelled_call_is_dropped(runner, until_idle):
    began, may_end = threading.Event(), threading.Event()
    results: list[int] = []

    def work() -> int:
        began.set()
        may_end.wait(10)
        return 1

    handle = runner.call(work, on_result=results.append)
    assert began.wait(10)
    handle.cancel()
    may_end.set()
    until_idle()
    assert results == []


def test_that_a_call_that_raises_cancelled_is_no_failure(runner, until_idle):
    failures: list[BaseException] = []

    def work() -> None:
        raise CancelledError

    runner.call(work, on_failed=failures.append)
    until_idle()
    assert failures == []


def test_that_callbacks_of_a_destroyed_object_are_dropped(runner, until_idle, qapp):
    seen: list[int] = []

    class Receiver(QObject):
        def take(self, value: int) -> None:
            seen.append(value)

    receiver = Receiver()
    gate = threading.Event()
    runner.call(lambda: gate.wait(10), on_result=receiver.take)
    import shiboken6

    shiboken6.delete(receiver)
    gate.set()
    until_idle()
    assert seen == []


def test_that_a_callback_that_raises_does_not_hold_up_the_others(runner, qtbot):
    results: list[int] = []

    def fail(_value: int) -> None:
        raise ValueError("in a callback")

    with capture_exceptions() as raised:
        runner.call(lambda: 1, on_result=fail)
        runner.call(lambda: 2, on_result=results.append)
        qtbot.waitUntil(lambda: not runner.is_busy)
    assert results == [2]
    assert [str(error) for _, error, _ in raised] == ["in a callback"]


def test_that_busy_is_told_at_the_first_and_the_last(runner, until_idle):
    told: list[bool] = []
    runner.busy_changed.connect(told.append)
    gate = threading.Event()
    runner.call(lambda: gate.wait(10))
    runner.call(lambda: 2)
    assert told == [True]
    gate.set()
    until_idle()
    assert told == [True, False]


def test_that_shutdown_stops_jobs_and_delivers_nothing_more(errors, qapp):
    made = JobRunner(errors)
    job, seen = Waiting(), []
    handle = made.run(job, on_event=seen.append, on_finished=lambda: seen.append("finished"))
    assert job.began.wait(10)
    assert made.shutdown()
    qapp.processEvents()
    assert job.cleaned_up.is_set()
    assert not handle.is_running
    assert seen == []
    assert not made.run(job).is_running


def test_that_shutdown_says_when_something_does_not_stop(errors, qapp, expected_log):
    expected_log.append("still running at shutdown: stubborn")
    made = JobRunner(errors)
    gate = threading.Event()
    made.call(lambda: gate.wait(10), name="stubborn")
    try:
        assert not made.shutdown(0.05)
    finally:
        gate.set()


def on_main() -> bool:
    return threading.current_thread() is threading.main_thread()


@pytest.mark.parametrize("count", [200])
def test_that_many_calls_from_many_threads_all_come_back(runner, until_idle, count):
    results: list[int] = []
    for number in range(count):
        runner.call(lambda number=number: number, on_result=results.append)
    until_idle()
    assert sorted(results) == list(range(count))
