from __future__ import annotations

import logging
import sys
import threading

import pytest
from PySide6.QtCore import qWarning

from app.errors import ErrorCentre, Hooks, RecentLog, start_logging, stop_logging
from core.errors import CancelledError, LibraryError


@pytest.fixture
def hooks(errors):
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    installed = Hooks(errors)
    yield installed
    installed.remove()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before


def error_with_trace(kind: type[Exception], *arguments: object) -> Exception:
    try:
        raise kind(*arguments)
    except kind as error:
        return error


def test_that_a_notice_from_another_thread_arrives_on_the_main_thread(errors, qtbot):
    threads: list[threading.Thread] = []
    errors.noticed.connect(lambda _message: threads.append(threading.current_thread()))
    with qtbot.waitSignal(errors.noticed) as told:
        worker = threading.Thread(target=errors.notice, args=("One file was skipped.",))
        worker.start()
        worker.join()
    assert told.args == ["One file was skipped."]
    assert threads == [threading.main_thread()]


def test_that_a_known_error_keeps_its_sentence_and_way_out(errors, qtbot):
    with qtbot.waitSignal(errors.known_raised) as told:
        errors.raised(LibraryError("The disk is full.", "Make room."))
    assert (told.args[0].message, told.args[0].way_out) == ("The disk is full.", "Make room.")


def test_that_a_bug_is_reported_once_with_versions_and_trace(errors, qtbot, qapp, expected_log):
    expected_log.append("unexpected RuntimeError")
    reports: list[str] = []
    errors.bug_raised.connect(reports.append)
    error = error_with_trace(RuntimeError, "odd")
    for _ in range(3):
        errors.bug(error)
    qtbot.waitUntil(lambda: bool(reports))
    qapp.processEvents()
    assert len(reports) == 1
    assert "RuntimeError: odd" in reports[0]
    assert "Earshot" in reports[0]
    assert "test_errors.py" in reports[0]


def test_that_a_stopped_job_is_no_error(errors, qapp):
    told: list[object] = []
    for signal in (errors.noticed, errors.known_raised, errors.bug_raised):
        signal.connect(told.append)
    errors.raised(CancelledError())
    qapp.processEvents()
    assert told == []


def test_that_the_hooks_catch_what_a_thread_did_not(errors, hooks, qtbot):
    def fail() -> None:
        raise LibraryError("The folder is gone.")

    with qtbot.waitSignal(errors.known_raised) as told:
        worker = threading.Thread(target=fail)
        worker.start()
        worker.join()
    assert str(told.args[0]) == "The folder is gone."


def test_that_the_hooks_catch_what_the_main_thread_did_not(errors, hooks, qtbot, expected_log):
    expected_log.append("unexpected KeyError")
    error = error_with_trace(KeyError, "window")
    with qtbot.waitSignal(errors.bug_raised) as told:
        sys.excepthook(type(error), error, error.__traceback__)
    assert "KeyError: 'window'" in told.args[0]


@pytest.mark.no_qt_log
def test_that_messages_of_qt_go_to_the_log(hooks, expected_log):
    expected_log.append("qt: .*something is odd")
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(f"{record.levelname} {record.getMessage()}")
    logging.getLogger("qt").addHandler(handler)
    try:
        qWarning("something is odd")
    finally:
        logging.getLogger("qt").removeHandler(handler)
    assert records == ["WARNING default: something is odd"]


def test_that_the_log_goes_to_a_rotating_file_and_is_remembered(errors, tmp_path, monkeypatch):
    # What pytest itself records of the log travels between its processes as UTF-8, which such a name is not.
    root = logging.getLogger()
    monkeypatch.setattr(
        root, "handlers", [one for one in root.handlers if not type(one).__module__.startswith("_pytest")]
    )
    file = start_logging(errors, tmp_path / "logs")
    try:
        logging.getLogger("app.test").info("a folder was added: %s", "\udcff.wav")
    finally:
        stop_logging(errors)
    assert file is not None
    assert "a folder was added: \\udcff.wav" in file.read_text(encoding="utf-8")
    assert "a folder was added" in errors.recent.last_lines(1)[0]


def test_that_a_log_that_cannot_be_written_is_a_notice(errors, tmp_path, qtbot):
    (tmp_path / "logs").write_text("a file, not a folder")
    with qtbot.waitSignal(errors.noticed) as told:
        assert start_logging(errors, tmp_path / "logs") is None
    stop_logging(errors)
    assert told.args[0].startswith("The log cannot be written")


def test_that_the_recent_log_numbers_its_lines_and_forgets_the_oldest():
    recent = RecentLog()
    for number in range(2_500):
        recent.handle(logging.LogRecord("app", logging.INFO, "", 0, f"line {number}", None, None))
    lines = recent.since(2_498)
    assert [(number, text.endswith(f"line {number - 1}")) for number, _, text in lines] == [
        (2_499, True),
        (2_500, True),
    ]
    assert len(recent.since(0)) == 2_000


def test_that_a_centre_without_a_window_still_logs(qapp):
    ErrorCentre().notice("nobody listens")
