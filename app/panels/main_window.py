"""The window itself: opens the library behind its first picture, takes drops, shows what went wrong, closes cleanly."""

from __future__ import annotations

import base64
import importlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QFileDialog, QMainWindow, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.panels.side_window import SideWindows
from app.plain import PlainLabel
from app.theme import GRID, apply_theme, theme_name
from app.widgets.drop_overlay import DropOverlay

if TYPE_CHECKING:
    from app.drag import Drop
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.panels.desk import Desk
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.errors import KnownError
    from core.library import Library

DEFAULT_SIZE = QSize(1280, 800)
LEAST_SIZE = QSize(880, 560)
SHUTDOWN_S = 2.0

_log = logging.getLogger(__name__)


class MainWindow(QMainWindow):
    """The frame around the desk.

    Attributes:
        painted: The window was painted for the first time.
        library_opened: The library is open and the desk stands.
    """

    painted = Signal()
    library_opened = Signal()

    def __init__(
        self,
        *,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        log_folder: Path | None = None,
    ) -> None:
        super().__init__()
        self.setWindowTitle("Earshot")
        self.setObjectName("main")
        self.setMinimumSize(LEAST_SIZE)
        self.setAcceptDrops(True)
        self._runner, self._settings, self._errors, self._shortcuts = runner, settings, errors, shortcuts
        self._open_arguments: tuple[Path | None, str | None, str] = (None, None, "auto")
        self._is_painted = False
        self._is_shut = False
        self.library: Library | None = None
        self.desk: Desk | None = None
        self.opening = _OpeningPage()
        self._pages = QStackedWidget()
        self._pages.addWidget(self.opening)
        self.setCentralWidget(self._pages)
        self.overlay = DropOverlay(self)
        self._restore_geometry()
        self.beside = SideWindows(
            runner=runner,
            settings=settings,
            errors=errors,
            shortcuts=shortcuts,
            log_folder=log_folder,
            library=lambda: self.library,
            parent=self,
        )
        self.beside.theme_changed.connect(self.apply_theme)
        self.beside.reopen_requested.connect(self.reopen)
        self.beside.indexing_changed.connect(self._on_indexing_changed)
        self.beside.audio_changed.connect(self._on_audio_changed)
        self._bind_shortcuts()

    def open_library(self, folder: Path | None, *, model: str | None = None, device: str = "auto") -> None:
        """Open a library in the background, in place of the one that is open; the first time after the first paint."""
        self._open_arguments = (folder, model, device)
        self._take_desk_down()
        self.opening.show_opening()
        self._pages.setCurrentWidget(self.opening)
        if self._is_painted:
            self._open_now()

    def reopen(self) -> None:
        """Open the same library anew with the model and device that the settings name."""
        folder = self._open_arguments[0]
        self.open_library(folder, model=self._settings.model or None, device=self._settings.device)

    def shut_down(self) -> bool:
        """Stop all work and close the library; returns whether everything came to rest within two seconds."""
        if self._is_shut:
            return True
        self._is_shut = True
        began = time.monotonic()
        if self.desk is not None:
            self.desk.close_down()
        is_quiet = self._runner.shutdown(SHUTDOWN_S)
        if self.library is not None and is_quiet:
            self.library.close()
            self.library = None
        _log.info("shut down in %.2f s", time.monotonic() - began)
        return is_quiet

    def apply_theme(self) -> None:
        """Look as the settings say."""
        application = QApplication.instance()
        if isinstance(application, QApplication):
            look = self._settings.look
            apply_theme(application, look.theme, is_still=look.reduced_motion)

    def toggle_theme(self) -> None:
        """Dark to light, or light to dark."""
        self._settings.look.theme = "light" if theme_name() == "dark" else "dark"
        self.apply_theme()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            # After this paint has reached the screen, not in its midst.
            QTimer.singleShot(0, self._on_painted)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.overlay.setGeometry(self.rect())

    def closeEvent(self, event: QCloseEvent) -> None:
        self._keep_geometry()
        if self.desk is not None:
            self.desk.keep_layout()
        problem = self._settings.save()
        if problem:
            _log.warning("%s", problem)
        self.beside.close_all()
        self.shut_down()
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._judge_drag(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._judge_drag(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.overlay.hide()
        drop = self._meaning(event)
        if drop is None or self.desk is None:
            event.ignore()
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if drop.kind == "folders":
            self.desk.add_folders(drop.paths)
        else:
            self.desk.search_by_files(drop.paths)

    def _judge_drag(self, event: QDragMoveEvent) -> None:
        drop = self._meaning(event)
        if drop is None:
            self.overlay.hide()
            event.ignore()
            return
        self.overlay.say(drop)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def _meaning(self, event: QDropEvent) -> Drop | None:
        """What a drop here would do; our own rows belong to the query bar, the sidebar or another program."""
        from app.drag import classify_drop

        if self.desk is None or event.source() is not None:
            return None
        drop = classify_drop(event.mimeData())
        return drop if drop.kind in ("folders", "clip") else None

    def _on_painted(self) -> None:
        self.painted.emit()
        _log.info("painted")
        if not self._is_shut:
            self._open_now()

    def _open_now(self) -> None:
        folder, model, device = self._open_arguments

        def work() -> Library:
            # Imported here: the database's libraries take longer than the first picture may.
            importlib.import_module("app.panels.desk")
            from core.library import Library

            return Library.open(folder, model=model, device=device)  # type: ignore[arg-type]

        self._runner.call(work, on_result=self._on_opened, on_failed=self._on_open_failed, name="open the library")

    def _on_opened(self, library: Library) -> None:
        from app.panels.desk import Desk

        self.library = library
        self.desk = Desk(
            library=library,
            runner=self._runner,
            settings=self._settings,
            errors=self._errors,
            shortcuts=self._shortcuts,
        )
        self.desk.preferences_requested.connect(self.beside.show_preferences)
        self.desk.log_requested.connect(self.beside.show_log)
        self._pages.addWidget(self.desk)
        self._pages.setCurrentWidget(self.desk)
        self.desk.begin()
        self.library_opened.emit()

    def _on_open_failed(self, error: BaseException) -> None:
        from core.errors import KnownError

        if not isinstance(error, KnownError):
            self._errors.bug(error)
        self.opening.show_failure(
            error if isinstance(error, KnownError) else KnownError(self.tr("The library could not be opened.")),
            retry=self._open_now,
            choose=self._choose_library,
            bundled=None if self._open_arguments[1] is None else self._use_bundled_model,
        )

    def _choose_library(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder of the library"))
        if chosen:
            self._settings.library = chosen
            self.open_library(Path(chosen), model=self._open_arguments[1], device=self._open_arguments[2])

    def _use_bundled_model(self) -> None:
        self._settings.model, self._settings.device = "", "auto"
        self.reopen()

    def _take_desk_down(self) -> None:
        if self.desk is None:
            return
        self.desk.keep_layout()
        self.desk.close_down()
        self.beside.forget("preferences")
        library, self.library = self.library, None
        self._pages.removeWidget(self.desk)
        self.desk.setParent(None)
        self.desk.deleteLater()
        self.desk = None
        if library is not None:
            self._close_when_idle(library)

    def _close_when_idle(self, library: Library) -> None:
        """Close a library that was let go of as soon as no job uses it any more."""
        busy = [handle for handle in self._runner.running() if handle.name != "open the library"]
        for handle in busy:
            handle.cancel()
        if busy and not self._is_shut:
            QTimer.singleShot(50, lambda: self._close_when_idle(library))
        else:
            library.close()

    def _on_indexing_changed(self) -> None:
        if self.desk is not None:
            self.desk.follow_indexing_settings()

    def _on_audio_changed(self) -> None:
        if self.desk is not None:
            self.desk.follow_audio_settings()

    def _bind_shortcuts(self) -> None:
        def desk(do: Callable[[Desk], object]) -> Callable[[], None]:
            def act() -> None:
                if self.desk is not None:
                    do(self.desk)

            return act

        for action, callback in (
            ("folder.add", desk(lambda it: it.library_panel.choose_folder())),
            ("index.pause", desk(lambda it: it.controller.toggle_pause())),
            ("index.rescan", desk(lambda it: it.controller.rescan())),
            ("indexing.show", desk(lambda it: it.show_indexing())),
            ("view.library", desk(lambda it: it.toggle_region("library"))),
            ("view.inspector", desk(lambda it: it.toggle_region("inspector"))),
            ("panel.next", desk(lambda it: it.commands.focus_region(1))),
            ("panel.previous", desk(lambda it: it.commands.focus_region(-1))),
            ("view.theme", self.toggle_theme),
            ("preferences", self.beside.show_preferences),
            ("log.show", self.beside.show_log),
            ("help.shortcuts", self.beside.show_shortcuts),
            ("window.close", self.close),
        ):
            self._shortcuts.bind(self, action, callback)

    def _restore_geometry(self) -> None:
        self.resize(DEFAULT_SIZE)
        saved = self._settings.layout.geometry
        if saved:
            self.restoreGeometry(QByteArray(base64.b64decode(saved.encode("ascii"), validate=False)))
            screen = QGuiApplication.screenAt(self.frameGeometry().center())
            if screen is None:
                # It was closed on a screen that is gone.
                self.resize(DEFAULT_SIZE)
                self.move(0, 0)

    def _keep_geometry(self) -> None:
        self._settings.layout.geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")


class _OpeningPage(QWidget):
    """What is seen before the desk: that the library is being opened, or why it could not be."""

    def __init__(self) -> None:
        super().__init__()
        self.message = PlainLabel(wraps=True, name="opening.message")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.way_out = PlainLabel(wraps=True, name="opening.way_out")
        self.way_out.setProperty("role", "secondary")
        self.way_out.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.buttons = {
            "retry": QPushButton(self.tr("Try again")),
            "choose": QPushButton(self.tr("Choose another library…")),
            "bundled": QPushButton(self.tr("Use the bundled model")),
        }
        self._actions: dict[str, Callable[[], None] | None] = {}
        layout = QVBoxLayout(self)
        layout.setSpacing(3 * GRID)
        layout.addStretch()
        layout.addWidget(self.message)
        layout.addWidget(self.way_out)
        for name, button in self.buttons.items():
            button.setMinimumWidth(60 * GRID)
            button.clicked.connect(lambda _=False, name=name: self._do(name))
            layout.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch()
        self.show_opening()

    def show_opening(self) -> None:
        """Say that it is on its way."""
        self.message.setText(self.tr("Opening the library…"))
        self.way_out.setText("")
        for button in self.buttons.values():
            button.hide()

    def show_failure(
        self,
        error: KnownError,
        *,
        retry: Callable[[], None],
        choose: Callable[[], None],
        bundled: Callable[[], None] | None,
    ) -> None:
        """Say what happened and what can be done."""
        self.message.setText(error.message)
        self.way_out.setText(error.way_out)
        self._actions = {"retry": retry, "choose": choose, "bundled": bundled}
        for name, button in self.buttons.items():
            button.setVisible(self._actions[name] is not None)

    def _do(self, name: str) -> None:
        action = self._actions.get(name)
        if action is not None:
            self.show_opening()
            action()
