"""`earshot`: the window; with a subcommand, the program in a terminal.

This module imports nothing that takes time, and Qt only when there is a window to open.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_DEVICES = ("auto", "cuda", "cpu")
EXIT_NO_WINDOW = 2


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked of the window; None where the settings decide."""

    library: Path | None = None
    model: str | None = None
    device: str | None = None
    settings: Path | None = None
    log_folder: Path | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window, or hand over to the terminal program; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if _names_subcommand(given):
        from core.cli import main as run_in_terminal

        if arguments is not None:
            sys.argv[1:] = given
        run_in_terminal()
        return 0
    options = _parse(given)
    reason = _why_no_window()
    if reason:
        print(reason, file=sys.stderr)
        return EXIT_NO_WINDOW
    try:
        from app.main import run
    except ImportError as error:
        if "PySide6" not in str(error) and ".so" not in str(error):
            raise
        print(f"The window needs a library of the system that is missing: {error}", file=sys.stderr)
        print("packaging/system_packages.sh names what to install.", file=sys.stderr)
        return EXIT_NO_WINDOW
    return run(options)


def _names_subcommand(given: list[str]) -> bool:
    """Whether the first argument that is no option of ours nor an option's value is there: a subcommand."""
    taking_value = {"--library", "--model", "--device", "--settings", "--log-folder"}
    rest = iter(given)
    for argument in rest:
        if argument in taking_value:
            next(rest, None)
        elif not argument.startswith("-"):
            return True
    return False


def _parse(given: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="earshot",
        description="Find sounds in your own library by describing them or by giving an example, offline. "
        "Without a command the window opens.",
        epilog="In a terminal: earshot index | search | similar | status | skipped | verify | reindex | models | "
        "remove; earshot COMMAND --help says more.",
    )
    parser.add_argument("--library", type=Path, metavar="DIR", help="folder of the library")
    parser.add_argument("--model", metavar="ID", help="model to search with")
    parser.add_argument("--device", choices=_DEVICES, help="where sounds are embedded")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="file with the settings of the window")
    parser.add_argument("--log-folder", type=Path, metavar="DIR", help="where the log is written")
    parser.add_argument("--version", action="store_true", help="say the version and end")
    parsed = parser.parse_args(given)
    if parsed.version:
        from importlib import metadata

        print(f"earshot {metadata.version('earshot')}")
        raise SystemExit(0)
    return Options(parsed.library, parsed.model, parsed.device, parsed.settings, parsed.log_folder)


def _why_no_window() -> str:
    """Why no window can be opened, or nothing. Qt itself would end the process without a word to the user."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return ""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return (
        "There is no display to open the window on. In a terminal use a command, such as: earshot search "
        '"a door creaks"; earshot --help lists them.'
    )


if __name__ == "__main__":
    sys.exit(main())
