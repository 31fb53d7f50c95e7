"""The one place where errors go: quiet notices, known errors with a way out, and bugs with a report to copy.

What the environment did is a `KnownError`; everything else that reaches a hook is a bug of ours. All of it is logged
to a rotating file, and shown by whoever is connected to the centre's signals (the main window).
"""

from __future__ import annotations

import logging
import logging.handlers
import platform
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

import platformdirs
from PySide6.QtCore import (
    QCoreApplication,
    QMessageLogContext,
    QObject,
    Qt,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
    qVersion,
)

from core.errors import CancelledError, KnownError

LOG_FILE = "earshot.log"
_LOG_BYTES, _LOG_FILES = 1_000_000, 3
_REMEMBERED_LINES = 2_000
_LINES_IN_REPORT = 40
_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate

# Of these the log holds what happens, of everything else only warnings.
_OURS = ("app", "core", "qt")

_log = logging.getLogger(__name__)
_qt_log = logging.getLogger("qt")
_QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def default_log_folder() -> Path:
    """Where the program's log lies."""
    return Path(platformdirs.user_log_dir("earshot", appauthor=False))


def program_version() -> str:
    """The installed version, or "unknown" for a checkout that was never installed."""
    try:
        return metadata.version("earshot")
    except metadata.PackageNotFoundError:
        return "unknown"


class RecentLog(logging.Handler):
    """Keeps the newest log lines for the log window and for reports; used from any thread."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(_FORMAT))
        self._lines: deque[tuple[int, int, str]] = deque(maxlen=_REMEMBERED_LINES)
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        self._count += 1
        self._lines.append((self._count, record.levelno, line))

    def since(self, number: int) -> list[tuple[int, int, str]]:
        """(running number, level, text) of the lines after a number, oldest first."""
        self.acquire()
        try:
            return [line for line in self._lines if line[0] > number]
        finally:
            self.release()

    def last_lines(self, count: int) -> list[str]:
        """The newest lines, oldest first."""
        return [text for _, _, text in self.since(0)[-count:]]


class ErrorCentre(QObject):
    """Takes notices, known errors and bugs from any thread, and tells the main thread.

    Attributes:
        noticed: A sentence that stops nothing.
        known_raised: A `KnownError`, to be shown with its way out.
        bug_raised: The report of a bug, to be shown so that it can be copied; one that repeats is told once.
    """

    noticed = Signal(str)
    known_raised = Signal(object)
    bug_raised = Signal(str)
    _posted = Signal(str, object)

    def __init__(self, parent: QObject | None = None, *, recent: RecentLog | None = None) -> None:
        super().__init__(parent)
        self.recent = recent or RecentLog()
        self._told: set[str] = set()
        self._lock = threading.Lock()
        # Queued also on the main thread: an error inside paintEvent must not open a dialog inside paintEvent.
        self._posted.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    def notice(self, message: str) -> None:
        """Say something quietly."""
        _log.info("%s", message)
        self._posted.emit("notice", message)

    def known(self, error: KnownError) -> None:
        """Show what the environment did, and what to do about it."""
        _log.info("%s: %s", type(error).__name__, error)
        self._posted.emit("known", error)

    def bug(self, error: BaseException) -> None:
        """Log an error of ours with its trace and offer a report, once for each place it comes from."""
        trace = "".join(traceback.format_exception(error))
        _log.error("unexpected %s\n%s", type(error).__name__, trace)
        with self._lock:
            is_new = trace not in self._told
            self._told.add(trace)
        if is_new:
            self._posted.emit("bug", self.report(trace))

    def raised(self, error: BaseException) -> None:
        """Sort an error that nobody caught."""
        if isinstance(error, KnownError):
            self.known(error)
        elif not isinstance(error, CancelledError):
            self.bug(error)

    def report(self, trace: str) -> str:
        """What somebody who mends the bug needs, as text; it names files only where the trace or the log does."""
        lines = "\n".join(self.recent.last_lines(_LINES_IN_REPORT))
        return (
            f"Earshot {program_version()}, Python {platform.python_version()}, Qt {qVersion()}\n"
            f"{platform.platform()}\n\n{trace}\nThe log's last lines:\n{lines}\n"
        )

    def _tell(self, kind: str, content: object) -> None:
        if kind == "notice":
            self.noticed.emit(content)
        elif kind == "known":
            self.known_raised.emit(content)
        else:
            self.bug_raised.emit(content)


class Hooks:
    """Sends what nobody catches to an error centre, and Qt's messages to the log; `remove` undoes it.

    Args:
        errors: Where uncaught exceptions of the main thread, other threads and destructors go.
    """

    def __init__(self, errors: ErrorCentre) -> None:
        self._errors = errors
        self._previous = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        sys.unraisablehook = self._on_unraisable
        self._previous_qt: Callable[..., Any] | None = qInstallMessageHandler(log_qt_message)

    def remove(self) -> None:
        """Put back what was there before."""
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._previous
        qInstallMessageHandler(self._previous_qt)

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._previous[0](kind, error, trace)
        else:
            self._errors.raised(error)

    def _on_thread_exception(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
            self._errors.raised(arguments.exc_value)

    def _on_unraisable(self, arguments: sys.UnraisableHookArgs) -> None:
        if arguments.exc_value is not None:
            self._errors.raised(arguments.exc_value)


def log_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    """Qt's own messages, at the level they have there."""
    _qt_log.log(
        _QT_LEVELS.get(kind, logging.WARNING), "%s%s", f"{context.category}: " if context.category else "", message
    )


def start_logging(errors: ErrorCentre, folder: Path | None = None) -> Path | None:
    """Log to a rotating file and to the centre's memory.

    Returns:
        The file, or None where the folder cannot be written (then a notice is given, and the program goes on).
    """
    folder = folder or default_log_folder()
    root = logging.getLogger()
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    root.addHandler(errors.recent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            folder / LOG_FILE, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        text = translate("Log", "The log cannot be written to {folder}: {reason}.")
        errors.notice(text.format(folder=folder, reason=error.strerror or error))
        return None
    handler.setFormatter(logging.Formatter(_FORMAT))
    root.addHandler(handler)
    return folder / LOG_FILE


def stop_logging(errors: ErrorCentre) -> None:
    """Take our handlers off again and close the file."""
    root = logging.getLogger()
    root.removeHandler(errors.recent)
    for handler in list(root.handlers):
        if isinstance(handler, logging.handlers.RotatingFileHandler) and Path(handler.baseFilename).name == LOG_FILE:
            root.removeHandler(handler)
            handler.close()
