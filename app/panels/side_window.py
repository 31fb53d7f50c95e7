"""The windows beside the main one: preferences, shortcuts, log, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.errors import KnownError
    from core.library import Library


class SideWindows(QObject):
    """Makes each window when it is first wanted, and shows it; what takes time is imported then.

    Args:
        runner: Does work in the background.
        settings: What the preferences change.
        errors: Whatever it tells is shown.
        shortcuts: What the sheet shows.
        log_folder: Where the log lies.
        library: Gives the library that is open, if one is.
        parent: The main window.

    Attributes:
        theme_changed, reopen_requested, indexing_changed, audio_changed: As of the preferences.
    """

    theme_changed = Signal()
    reopen_requested = Signal()
    indexing_changed = Signal()
    audio_changed = Signal()

    def __init__(
        self,
        *,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        log_folder: Path | None,
        library: Callable[[], Library | None],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._runner, self._settings, self._errors, self._shortcuts = runner, settings, errors, shortcuts
        self._log_folder, self._library, self._window = log_folder, library, parent
        self._open: dict[str, QWidget] = {}
        errors.known_raised.connect(self._on_known)
        errors.bug_raised.connect(self._on_bug)

    def find(self, name: str) -> QWidget | None:
        """One that was made: "preferences", "shortcuts", "log" or "trouble"."""
        return self._open.get(name)

    def show_log(self) -> None:
        """Show the log."""
        from app.panels.log import LogWindow

        self._show("log", lambda: LogWindow(errors=self._errors, folder=self._log_folder, parent=self._window))

    def show_shortcuts(self) -> None:
        """Show the sheet of shortcuts as they are now."""
        from app.panels.shortcuts import ShortcutSheet

        self.forget("shortcuts")
        self._show("shortcuts", lambda: ShortcutSheet(shortcuts=self._shortcuts, parent=self._window))

    def show_preferences(self, page: str = "") -> None:
        """Show the preferences, at a page if one is named."""
        from app.panels.preferences import PreferencesDialog
        from app.translation import languages

        def make() -> PreferencesDialog:
            dialog = PreferencesDialog(
                runner=self._runner,
                settings=self._settings,
                errors=self._errors,
                shortcuts=self._shortcuts,
                library=self._library(),
                languages=languages(),
                parent=self._window,
            )
            dialog.theme_changed.connect(self.theme_changed)
            dialog.reopen_requested.connect(self.reopen_requested)
            dialog.indexing_changed.connect(self.indexing_changed)
            dialog.audio_changed.connect(self.audio_changed)
            return dialog

        dialog = self._show("preferences", make)
        if page and isinstance(dialog, PreferencesDialog):
            dialog.show_page(page)

    def forget(self, name: str) -> None:
        """Close one for good, if it was made."""
        old = self._open.pop(name, None)
        if old is not None:
            old.close()
            old.deleteLater()

    def close_all(self) -> None:
        """Close every one."""
        for window in self._open.values():
            window.close()

    def _show(self, name: str, make: Callable[[], QWidget]) -> QWidget:
        if name not in self._open:
            self._open[name] = make()
        window = self._open[name]
        window.show()
        window.raise_()
        window.activateWindow()
        return window

    def _on_known(self, error: KnownError) -> None:
        from app.panels.trouble import KnownErrorDialog

        self._show_trouble(KnownErrorDialog(error, self._window))

    def _on_bug(self, report: str) -> None:
        from app.panels.trouble import BugDialog

        self._show_trouble(BugDialog(report, self._window))

    def _show_trouble(self, dialog: QWidget) -> None:
        """Shown beside the work, not in its way; a newer one takes the place of the one before."""
        self.forget("trouble")
        # Somebody who types or goes through a list is not to be thrown out of it.
        dialog.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self._open["trouble"] = dialog
        dialog.show()
        dialog.raise_()
