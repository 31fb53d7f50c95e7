"""What tests of the window share: an offscreen Qt, guards against what a test leaves behind, and a real library."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up_rows import MadeUpLibrary

# Tests that want a real window set another platform in a process of their own.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.errors import ErrorCentre
from app.jobs import JobRunner
from app.panels.main_window import MainWindow
from app.panels.results import ResultsPanel
from app.settings import Settings
from app.shortcut import ShortcutMap
from app.theme import apply_theme
from core.config import RESOURCES
from core.library import Library

SAMPLES = RESOURCES / "samples"
# One of every format, short ones, and two that belong together.
SMALL_LIBRARY = (
    "alarms/Telephone One Ring.wav",
    "animals/ANMLDog_Small Dog Barks Three Times_EAR_Demo.ogg",
    "animals/Dog Excited Barking.flac",
    "animals/Tree Frog Quick Croaks.aiff",
    "house/Door Knock Urgent.wav",
    "house/DOORKnck_Three Knocks On Door_EAR_Demo.ogg",
    "machines/Motorcycle Revs Twice.mp3",
    "weather/Rain Light Drizzle.ogg",
)
_THREADS_MAY_END_S = 3.0
# What the offscreen platform cannot do, and says so.
_QT_MAY_SAY = (
    "This plugin does not support propagateSizeHints",
    "This plugin does not support raise",
    "This plugin does not support grabbing the keyboard",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning of Qt fails a test, as one in the log does."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            item.add_marker(pytest.mark.qt_log_ignore(*_QT_MAY_SAY))


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + _THREADS_MAY_END_S
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = [thread.name for thread in left if thread.is_alive()]
    if alive:
        pytest.fail(f"threads are still alive after the test: {', '.join(alive)}")


@pytest.fixture
def expected_log() -> list[str]:
    """Patterns of warnings that a test provokes on purpose; it appends them."""
    return []


@pytest.fixture(autouse=True)
def _no_unexpected_warning_is_logged(expected_log: list[str]) -> Iterator[None]:
    records: list[logging.LogRecord] = []
    watcher = logging.Handler(logging.WARNING)
    watcher.emit = records.append
    root = logging.getLogger()
    root.addHandler(watcher)
    yield
    root.removeHandler(watcher)
    messages = [f"{record.name}: {record.getMessage()}" for record in records]
    unexpected = [text for text in messages if not any(re.search(pattern, text) for pattern in expected_log)]
    if unexpected:
        pytest.fail("unexpected warnings in the log:\n" + "\n".join(unexpected))


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever looks for the platform's folders finds empty ones."""
    for variable, name in (
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_STATE_HOME", "state"),
    ):
        monkeypatch.setenv(variable, str(tmp_path / "platform" / name))


@pytest.fixture(scope="session")
def qapp(qapp: QApplication) -> QApplication:
    """The application in the dark theme."""
    apply_theme(qapp, "dark")
    return qapp


@pytest.fixture
def errors(qapp: QApplication) -> ErrorCentre:
    return ErrorCentre()


@pytest.fixture
def runner(errors: ErrorCentre) -> Iterator[JobRunner]:
    made = JobRunner(errors)
    yield made
    assert made.shutdown(), "jobs did not stop within two seconds"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path / "settings.json")[0]


@pytest.fixture
def shortcuts(qapp: QApplication, settings: Settings) -> ShortcutMap:
    return ShortcutMap(settings)


@pytest.fixture
def until_idle(qtbot: QtBot, runner: JobRunner) -> Callable[[], None]:
    """Call it to have all background work done and its callbacks delivered."""

    def wait() -> None:
        qtbot.waitUntil(lambda: not runner.is_busy, timeout=60_000)

    return wait


@pytest.fixture
def shown_panel(
    runner: JobRunner, settings: Settings, errors: ErrorCentre, shortcuts: ShortcutMap, qtbot: QtBot
) -> Callable[..., Any]:
    """Call it to have a panel of some kind over a library, on screen at a size."""

    def show(kind: Callable[..., QWidget], library: Any, width_px: int, height_px: int) -> QWidget:
        made = kind(library, runner, settings, errors, shortcuts)
        qtbot.addWidget(made)
        made.resize(width_px, height_px)
        made.show()
        return made

    return show


@pytest.fixture(scope="session")
def _indexed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight bundled sounds, scanned and embedded with the shipped model: once for all tests of a process."""
    place = tmp_path_factory.mktemp("small")
    for name in SMALL_LIBRARY:
        target = place / "sounds" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(SAMPLES / name, target)
    with Library.open(place / "library", device="cpu") as library:
        for _ in library.index([place / "sounds"], jobs=1):
            pass
    return place


def copy_library(source: Path, target: Path) -> None:
    """Copy a library; the model that it keeps, 55 MB that nobody writes to, is linked."""

    def copy(file: str, to: str) -> None:
        if Path(file).parent.parent == source / "models":
            os.link(file, to)
        else:
            shutil.copy2(file, to)

    shutil.copytree(source, target, copy_function=copy)


@pytest.fixture
def small_library(_indexed_once: Path, tmp_path: Path) -> Iterator[Library]:
    """A real, indexed library of eight sounds, the test's own copy; the sounds themselves are shared."""
    folder = tmp_path / "small-library"
    copy_library(_indexed_once / "library", folder)
    with Library.open(folder, device="cpu") as library:
        yield library


@pytest.fixture
def small_sounds(_indexed_once: Path) -> Path:
    """The folder of sounds that `small_library` covers."""
    return _indexed_once / "sounds"


@pytest.fixture
def empty_library(tmp_path: Path) -> Iterator[Library]:
    """A library without any folder."""
    with Library.open(tmp_path / "empty-library", device="cpu") as library:
        yield library


class Windows:
    """Opens windows on libraries and closes them at the end."""

    def __init__(self, errors: ErrorCentre, settings: Settings, qtbot: QtBot) -> None:
        self._errors, self._settings, self._qtbot = errors, settings, qtbot
        self.opened: list[MainWindow] = []

    def open(self, folder: Path, settings: Settings | None = None, *, wait: bool = True) -> MainWindow:
        settings = settings or self._settings
        window = MainWindow(
            runner=JobRunner(self._errors),
            settings=settings,
            errors=self._errors,
            shortcuts=ShortcutMap(settings),
        )
        if not settings.layout.geometry:
            window.resize(1280, 720)
        self.opened.append(window)
        window.open_library(folder, device="cpu")
        window.show()
        if wait:
            self._qtbot.waitUntil(lambda: window.desk is not None, timeout=30_000)
            self.idle(window)
        return window

    def idle(self, window: MainWindow) -> None:
        self._qtbot.waitUntil(lambda: not window._runner.is_busy, timeout=60_000)


@pytest.fixture
def windows(errors: ErrorCentre, settings: Settings, qtbot: QtBot) -> Iterator[Windows]:
    settings.indexing.watch = False
    settings.captions.enabled = False
    settings.audio.auto_audition = False
    made = Windows(errors, settings, qtbot)
    yield made
    for window in made.opened:
        window.close()
        window.deleteLater()


@pytest.fixture
def library_folder(_indexed_once: Path, tmp_path: Path) -> Path:
    """A copy of the indexed library of eight sounds."""
    copy_library(_indexed_once / "library", tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def window(windows: Windows, library_folder: Path) -> MainWindow:
    """A window on that library."""
    return windows.open(library_folder)


@pytest.fixture
def made_up_library() -> MadeUpLibrary:
    """A thousand rows of files that do not exist."""
    return MadeUpLibrary()


@pytest.fixture
def results_panel(made_up_library: MadeUpLibrary, shown_panel: Callable[..., ResultsPanel]) -> ResultsPanel:
    """The results panel over them, shown."""
    return shown_panel(ResultsPanel, made_up_library, 900, 500)
