"""A user at a real window: run as a script on some display, does what a visit consists of and writes what it saw.

Usage: real_user.py VISIT SCRATCH SOUNDS QUERY. In SCRATCH lie the library, the settings, the log, screenshots and
`VISIT.json`, all of them made here.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import soundfile
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.__main__ import Options
from app.main import Program
from app.panels.main_window import MainWindow

_LOOK_MS = 20
_PATIENCE_S = 90.0
Step = Callable[[], bool]


class Visit:
    """Walks through the steps of a visit while the event loop runs; each step yields what it waits for."""

    def __init__(self, program: Program, scratch: Path, sounds: Path, query: str) -> None:
        self.program, self.scratch, self.sounds, self.query = program, scratch, sounds, query
        self.seen: dict[str, Any] = {"known errors": [], "bugs": []}
        program.errors.known_raised.connect(lambda error: self.seen["known errors"].append(str(error)))
        program.errors.bug_raised.connect(self.seen["bugs"].append)
        self._began = time.perf_counter()
        program.window.painted.connect(lambda: self._note("painted after s", time.perf_counter() - self._began))

    @property
    def window(self) -> MainWindow:
        return self.program.window

    @property
    def desk(self) -> Any:
        return self.window.desk

    def follow(self, steps: Iterator[Step]) -> None:
        """Take the next step whenever what the last one waits for is there."""
        condition: Step = lambda: True  # noqa: E731
        since = time.monotonic()
        timer = QTimer(self.program.application)

        def look() -> None:
            nonlocal condition, since
            if condition():
                condition, since = next(steps, lambda: False), time.monotonic()
            elif time.monotonic() - since > _PATIENCE_S:
                self.seen["gave up"] = repr(condition)
                self.window.close()

        timer.timeout.connect(look)
        timer.start(_LOOK_MS)

    def first(self) -> Iterator[Step]:
        """From an empty library to a region in another program's hands."""
        yield lambda: self.desk is not None and not self.window._runner.is_busy
        self._shoot("1-welcome")
        # Without a window manager nobody hands out the focus.
        self.window.activateWindow()
        yield self.window.isActiveWindow
        self.seen["welcome"] = self.desk.welcome.isVisible()
        self._drag_over(self.window, self.sounds)
        yield self._pause()
        self.seen["overlay"] = self.window.overlay.title
        self._shoot("2-drop")
        self._drop(self.window, self.sounds)
        yield lambda: self.desk.controller.phase == "indexing"
        yield self._pause()
        self._shoot("3-indexing")
        yield lambda: self.desk.controller.phase == "idle" and not self.window._runner.is_busy
        self.seen["sounds"] = self.desk.library_panel.content.files
        yield from self._ask()
        yield from self._listen()
        yield from self._read_captions()
        yield from self._search_by_clip()
        yield from self._hand_over()
        self.desk.columns.setSizes([280, 700, 380])
        self.seen["columns"] = self.desk.columns.sizes()
        self.seen["size"] = [self.window.width(), self.window.height()]
        self._close()

    def second(self) -> Iterator[Step]:
        """Opens what the first visit left."""
        yield lambda: self.desk is not None and not self.window._runner.is_busy
        self.window.activateWindow()
        yield self.window.isActiveWindow
        self.seen["sounds"] = self.desk.library_panel.content.files
        self.seen["columns"] = self.desk.columns.sizes()
        self.seen["size"] = [self.window.width(), self.window.height()]
        yield from self._ask()
        self.window.toggle_theme()
        yield self._pause()
        self._shoot("9-light")
        self.window.toggle_theme()
        self._close()

    def _ask(self) -> Iterator[Step]:
        self.desk.search_panel.focus()
        yield self._pause()
        QTest.keyClicks(QApplication.focusWidget(), self.query)
        answers: list[Any] = []
        self.desk.search.answered.connect(answers.append)
        yield lambda: any(not answer.is_names_only for answer in answers) and not self.desk.search.is_busy
        yield lambda: not self.window._runner.is_busy
        self.seen["typed"] = self.desk.search_panel.spec().text
        self.seen["found"] = self._names(5)
        self._shoot("4-answer")

    def _listen(self) -> Iterator[Step]:
        """Weak matches are wanted too, so that there is a list to go through."""
        QTest.keyClick(
            self.window, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        )
        yield lambda: len(self.desk.results.all_ids()) > 5 and not self.window._runner.is_busy
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down)
        yield lambda: self.desk.results.isAncestorOf(QApplication.focusWidget())
        heard = []
        for _ in range(3):
            yield lambda: not self.window._runner.is_busy
            heard.append((self.desk.results.current().name, self.desk.player.path.name))
            QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down)
        yield lambda: not self.window._runner.is_busy and self.desk.player.axis.duration_s > 0
        yield self._pause()
        self.seen["arrowed"] = heard
        self.seen["inspected"] = self.desk.inspector.row.name
        self._shoot("5-listening")

    def _read_captions(self) -> Iterator[Step]:
        self.desk.results.set_view("captions")
        yield lambda: not self.window._runner.is_busy
        yield self._pause()
        self._shoot("6-captions")
        ids = self.desk.results.all_ids()[:20].tolist()
        rows = self.window.library.rows(ids)
        self.seen["captioner"] = self.window.library.captioner_card() is not None
        self.seen["captions"] = [row.caption.shown for row in rows.values() if row.caption is not None]
        self.desk.results.set_view("list")

    def _search_by_clip(self) -> Iterator[Step]:
        clip = self.desk.results.board.results([0])[0].path
        self.desk.search_panel.clear()
        answers: list[Any] = []
        self.desk.search.answered.connect(answers.append)
        self._drop(self.window, clip)
        yield lambda: bool(answers) and not self.desk.search.is_busy and not self.window._runner.is_busy
        yield self._pause()
        self.seen["clip"] = clip.name
        self.seen["like the clip"] = self._names(3)
        self._shoot("7-clip")

    def _hand_over(self) -> Iterator[Step]:
        self.desk.results.focus()
        yield lambda: self.desk.player.axis.duration_s > 0 and not self.window._runner.is_busy
        view = self.desk.player.view
        left, right = QPoint(view.width() // 4, view.height() // 2), QPoint(view.width() // 2, view.height() // 2)
        QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=left)
        for step in range(1, 9):
            QTest.mouseMove(view, left + (right - left) * step / 8)
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=right)
        yield self._pause()
        self._shoot("8-region")
        region = self.desk.player.region
        (url,) = self.desk.player.regions.mime(self.desk.player.path, region).urls()
        info = soundfile.info(url.toLocalFile())
        self.seen["region s"] = region.duration_s
        self.seen["rendered"] = [Path(url.toLocalFile()).suffix, info.duration]

    def _close(self) -> None:
        began = time.perf_counter()
        self.window.close()
        self.seen["closed after s"] = time.perf_counter() - began

    def _names(self, count: int) -> list[str]:
        board = self.desk.results.board
        return [row.name for row in board.results(range(min(count, board.model.rowCount())))]

    def _shoot(self, name: str) -> None:
        self.window.grab().save(str(self.scratch / f"{name}.png"))

    def _note(self, name: str, value: Any) -> None:
        self.seen[name] = value

    def _pause(self, seconds: float = 0.4) -> Step:
        """What is waited for is that the screen has settled."""
        end = time.monotonic() + seconds
        return lambda: time.monotonic() > end

    def _drag_over(self, widget: QWidget, path: Path) -> None:
        button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        data = _files(path)  # the event does not own it
        event = QDragEnterEvent(widget.rect().center(), Qt.DropAction.CopyAction, data, button, keys)
        QApplication.sendEvent(widget, event)

    def _drop(self, widget: QWidget, path: Path) -> None:
        button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        self._drag_over(widget, path)
        data = _files(path)
        where = QPointF(widget.rect().center())
        QApplication.sendEvent(widget, QDropEvent(where, Qt.DropAction.CopyAction, data, button, keys))


def _files(path: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    return data


def main() -> int:
    """Make the visit."""
    name, scratch, sounds, query = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    options = Options(
        library=scratch / "library", device="cpu", settings=scratch / "settings.json", log_folder=scratch / "logs"
    )
    program = Program(options)
    program.window.resize(1400, 900)
    visit = Visit(program, scratch, sounds, query)
    visit.follow({"first": visit.first, "second": visit.second}[name]())
    code = program.run()
    (scratch / f"{name}.json").write_text(json.dumps(visit.seen, indent=1))
    return code


if __name__ == "__main__":
    sys.exit(main())
