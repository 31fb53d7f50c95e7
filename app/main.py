"""Puts the window together and runs it. What takes time is imported after the window has been painted."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

from app.errors import ErrorCentre, Hooks, program_version, start_logging, stop_logging
from app.jobs import JobRunner
from app.panels.main_window import MainWindow
from app.settings import Settings
from app.shortcut import ShortcutMap
from app.theme import apply_theme, icon
from app.translation import install_translations

if TYPE_CHECKING:
    from app.__main__ import Options

# How often a thread that computes offers the interpreter to others; the default of 5 ms is felt while scrolling.
_SWITCH_S = 0.001


class Program:
    """The window with all it stands on. Made once in a process.

    Args:
        options: What the command line asked.
    """

    def __init__(self, options: Options) -> None:
        sys.setswitchinterval(_SWITCH_S)
        self.application = QApplication(sys.argv[:1])
        self.application.setApplicationName("earshot")
        self.application.setApplicationDisplayName("Earshot")
        self.application.setApplicationVersion(program_version())
        self.application.setDesktopFileName("earshot")
        self.errors = ErrorCentre()
        log_file = start_logging(self.errors, options.log_folder)
        self._hooks = Hooks(self.errors)
        self.settings, notice = Settings.load(options.settings)
        if notice:
            self.errors.notice(notice)
        install_translations(self.application, self.settings.look.language)
        apply_theme(self.application, self.settings.look.theme, is_still=self.settings.look.reduced_motion)
        self.application.setWindowIcon(icon("ear", 64, colour="accent"))
        self.window = MainWindow(
            runner=JobRunner(self.errors),
            settings=self.settings,
            errors=self.errors,
            shortcuts=ShortcutMap(self.settings),
            log_folder=log_file.parent if log_file is not None else None,
        )
        self.window.open_library(
            options.library or (Path(self.settings.library) if self.settings.library else None),
            model=options.model or self.settings.model or None,
            device=options.device or self.settings.device,
        )

    def run(self) -> int:
        """Show the window and return when it was closed; returns the exit status."""
        self.window.show()
        code = self.application.exec()
        is_quiet = self.window.shut_down()
        self._hooks.remove()
        stop_logging(self.errors)
        if not is_quiet:
            # A thread is inside foreign code and would hold up the end of the process; the database needs no farewell.
            sys.stdout.flush()
            os._exit(code)
        return code


def run(options: Options) -> int:
    """Open the window and return when it was closed; returns the exit status."""
    return Program(options).run()
