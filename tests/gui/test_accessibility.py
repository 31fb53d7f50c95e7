"""Every control of every window has a name that is read aloud, and can be reached with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_device import FakeInput
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QScrollArea, QWidget
from pytestqt.qtbot import QtBot
from sound import noise, write_sound

from app.errors import ErrorCentre
from app.jobs import JobRunner
from app.panels.export import ExportDialog
from app.panels.log import LogWindow
from app.panels.main_window import MainWindow
from app.panels.preferences import PAGES, PreferencesDialog
from app.panels.record import RecordDialog
from app.panels.search import Popover
from app.panels.shortcuts import ShortcutSheet
from app.panels.trouble import BugDialog, KnownErrorDialog
from app.settings import Settings
from app.shortcut import ShortcutMap
from core.audio.render import ExportItem
from core.errors import KnownError
from core.library import Library

_MOST_TABS = 400


def spoken_name(widget: QWidget) -> str:
    """What a screen reader says of a widget."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return "" if interface is None else interface.text(QAccessible.Text.Name).strip()


def controls(window: QWidget) -> list[QWidget]:
    """What can be worked with in a window, without the parts that Qt's own widgets are made of."""
    found = [
        one
        for one in window.findChildren(QWidget)
        if one.focusPolicy() & Qt.FocusPolicy.TabFocus and one.window() is window
    ]
    return [one for one in found if not is_part(one) and not isinstance(one, QScrollArea)]


def is_part(widget: QWidget) -> bool:
    """Whether a widget belongs to another control, such as the field in a spin box."""
    parent: QObject | None = widget.parent()
    own = widget.objectName().startswith("qt_")
    return own or isinstance(parent, (QAbstractSpinBox, QComboBox))


def reached_by_tab(qtbot: QtBot, window: QWidget) -> set[QWidget]:
    """The controls that the Tab key comes to, one after the other."""
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    reached: set[QWidget] = set()
    for _ in range(_MOST_TABS):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        if focus is None or focus in reached:
            break
        reached.add(focus)
    return reached


def assert_usable(qtbot: QtBot, window: QWidget) -> None:
    assert window.windowTitle()
    # What is not shown may have no text yet.
    shown = [one for one in controls(window) if one.isVisibleTo(window)]
    nameless = [f"{type(one).__name__} {one.objectName()}" for one in shown if not spoken_name(one)]
    assert not nameless
    reached = reached_by_tab(qtbot, window)
    wanted = [one for one in controls(window) if one.isVisible() and one.isEnabled()]
    missed = [
        f"{type(one).__name__} “{spoken_name(one)}”"
        for one in wanted
        if one not in reached and not any(one.isAncestorOf(part) for part in reached) and one.focusProxy() is None
    ]
    assert not missed


@pytest.fixture
def window(
    qtbot: QtBot,
    errors: ErrorCentre,
    settings: Settings,
    shortcuts: ShortcutMap,
    small_library: Library,
    tmp_path: Path,
):
    settings.indexing.watch = settings.indexing.index_at_start = False
    settings.captions.enabled = settings.audio.auto_audition = False
    folder = small_library.folder
    small_library.close()
    made = MainWindow(runner=JobRunner(errors), settings=settings, errors=errors, shortcuts=shortcuts)
    made.resize(1280, 720)
    made.open_library(folder, device="cpu")
    made.show()
    qtbot.waitUntil(lambda: made.desk is not None and not made._runner.is_busy, timeout=30_000)
    yield made
    made.close()
    made.deleteLater()


def test_that_the_desk_is_usable_without_a_mouse(window: MainWindow, qtbot: QtBot) -> None:
    assert_usable(qtbot, window)


def test_that_the_regions_are_walked_in_the_order_they_are_seen_in(window: MainWindow, qtbot: QtBot) -> None:
    desk = window.desk
    assert desk is not None
    regions = [desk.search_panel, desk.library_panel, desk.results, desk.inspector, desk.player, desk.status]
    shown = [region for region in regions if region.isVisible()]
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    desk.search_panel.focus()
    walked: list[QWidget] = []
    for _ in shown:
        focus = QApplication.focusWidget()
        assert focus is not None
        walked.append(next(region for region in shown if region is focus or region.isAncestorOf(focus)))
        QTest.keyClick(focus, Qt.Key.Key_F6)
    assert walked == shown
    assert desk.search_panel.isAncestorOf(QApplication.focusWidget())


def test_that_everything_that_opens_below_the_search_has_a_name(window: MainWindow, qtbot: QtBot) -> None:
    assert window.desk is not None
    popovers = window.desk.search_panel.findChildren(Popover)
    assert len(popovers) == 2
    for popover in popovers:
        assert len(controls(popover)) >= 2
        assert [type(one).__name__ for one in controls(popover) if not spoken_name(one)] == []


def test_that_the_indexing_window_is_usable(window: MainWindow, qtbot: QtBot) -> None:
    assert window.desk is not None
    window.desk.show_indexing()
    assert_usable(qtbot, window.desk.indexing)


@pytest.mark.parametrize("page", PAGES)
def test_that_every_page_of_the_preferences_is_usable(
    page: str,
    qtbot: QtBot,
    runner: JobRunner,
    settings: Settings,
    errors: ErrorCentre,
    shortcuts: ShortcutMap,
    until_idle: Callable[[], None],
) -> None:
    dialog = PreferencesDialog(
        runner=runner, settings=settings, errors=errors, shortcuts=shortcuts, library=None, languages=["de"]
    )
    qtbot.addWidget(dialog)
    until_idle()
    dialog.show_page(page)
    assert_usable(qtbot, dialog)


def test_that_the_export_dialog_is_usable(
    qtbot: QtBot, runner: JobRunner, settings: Settings, errors: ErrorCentre, tmp_path: Path
) -> None:
    item = ExportItem(write_sound(tmp_path / "a.wav", noise(0.1)))
    dialog = ExportDialog([item], runner=runner, settings=settings, errors=errors)
    qtbot.addWidget(dialog)
    assert_usable(qtbot, dialog)


def test_that_the_recorder_is_usable(
    qtbot: QtBot,
    runner: JobRunner,
    settings: Settings,
    errors: ErrorCentre,
    until_idle: Callable[[], None],
    tmp_path: Path,
) -> None:
    settings.caches.folder = str(tmp_path / "cache")
    dialog = RecordDialog(runner=runner, settings=settings, errors=errors, open_stream=FakeInput())
    qtbot.addWidget(dialog)
    until_idle()
    assert_usable(qtbot, dialog)
    dialog.reject()


def test_that_the_small_windows_are_usable(
    qtbot: QtBot, errors: ErrorCentre, shortcuts: ShortcutMap, tmp_path: Path
) -> None:
    for made in (
        ShortcutSheet(shortcuts=shortcuts),
        LogWindow(errors=errors, folder=tmp_path),
        KnownErrorDialog(KnownError("The disk is full.", "Make room."), None),
        BugDialog("trace", None),
    ):
        qtbot.addWidget(made)
        assert_usable(qtbot, made)
        made.close()
