"""A user who drags with a real pointer: three rows and a region out of the window, a file into it. Run as a script.

Usage: dragging_user.py SCRATCH X. In SCRATCH lies the library; X is where another program's window is. Writes
`seen.json`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QPoint, QTimer

from app.__main__ import Options
from app.main import Program
from core.types import Span

_PATIENCE_S = 40.0
_OTHER_Y = 400
Step = Callable[[], bool]


def steps(program: Program, other_x: int, seen: dict[str, Any]) -> Iterator[Step]:
    """What is done, and what is waited for."""
    window = program.window
    yield lambda: window.desk is not None and not window._runner.is_busy
    desk = window.desk
    assert desk is not None
    window.activateWindow()
    yield lambda: len(desk.results.all_ids()) > 3 and not window._runner.is_busy
    rows = desk.results.board.list
    for row in range(3):
        how = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        rows.selectionModel().select(rows.model().index(row, 0), how)
    rows.selectionModel().setCurrentIndex(rows.model().index(0, 0), QItemSelectionModel.SelectionFlag.NoUpdate)
    seen["selected"] = [str(row.path) for row in desk.results.selected()]
    begin = rows.viewport().mapToGlobal(rows.visualRect(rows.model().index(1, 0)).center())
    moved = _drag(begin, QPoint(other_x, _OTHER_Y))
    yield lambda: moved.poll() is not None
    yield lambda: desk.player.axis.duration_s > 0 and not window._runner.is_busy
    length_s = desk.player.axis.duration_s
    desk.player.view.choose(Span(0.25 * length_s, 0.75 * length_s))
    seen["region s"] = 0.5 * length_s
    handle = desk.player.view._handle()
    assert handle is not None
    dragged = _drag(desk.player.view.mapToGlobal(handle.center().toPoint()), QPoint(other_x, _OTHER_Y))
    yield lambda: dragged.poll() is not None
    came = _drag(QPoint(other_x, _OTHER_Y), window.mapToGlobal(desk.results.geometry().center() + QPoint(0, 60)))
    yield lambda: came.poll() is not None and bool(desk.search_panel.spec().clips)
    seen["clips"] = [str(clip.path) for clip in desk.search_panel.spec().clips]
    yield lambda: not window._runner.is_busy
    seen["gave up"] = ""
    window.close()


def _drag(begin: QPoint, end: QPoint) -> subprocess.Popen[bytes]:
    """Move the real pointer, slowly enough for both programs to follow."""
    commands = [f"mousemove {begin.x()} {begin.y()}", "mousedown 1"]
    commands += [f"mousemove {begin.x() + 12 * step} {begin.y() + 2 * step}" for step in range(1, 4)]
    commands += [f"mousemove {end.x() + step} {end.y()}" for step in range(4)]
    parts = " sleep 0.15 ".join(commands).split()
    return subprocess.Popen(["xdotool", *parts, "sleep", "0.4", "mouseup", "1", "sleep", "0.5"])


def main() -> int:
    """Do it."""
    scratch, other_x = Path(sys.argv[1]), int(sys.argv[2])
    seen: dict[str, Any] = {"gave up": "at once", "problems": []}
    program = Program(
        Options(
            library=scratch / "library",
            device="cpu",
            settings=scratch / "settings.json",
            log_folder=scratch / "logs",
        )
    )
    settings = program.settings
    settings.captions.enabled = settings.audio.auto_audition = settings.indexing.watch = False
    settings.caches.folder = str(scratch / "cache")
    program.errors.known_raised.connect(lambda error: seen["problems"].append(str(error)))
    program.errors.bug_raised.connect(seen["problems"].append)
    program.window.setGeometry(0, 0, 1200, 800)
    todo = steps(program, other_x, seen)
    waits: Step = lambda: True  # noqa: E731
    since, number = time.monotonic(), 0
    timer = QTimer(program.application)

    def look() -> None:
        nonlocal waits, since, number
        if waits():
            waits, since, number = next(todo, lambda: False), time.monotonic(), number + 1
        elif time.monotonic() - since > _PATIENCE_S:
            seen["gave up"] = f"in step {number}"
            program.window.close()

    timer.timeout.connect(look)
    timer.start(30)
    code = program.run()
    (scratch / "seen.json").write_text(json.dumps(seen))
    return code


if __name__ == "__main__":
    sys.exit(main())
