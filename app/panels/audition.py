"""Hearing what the keyboard is at: the player follows the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

from core.audio.playback import PlayState
from core.types import Span

if TYPE_CHECKING:
    from app.models.row import ResultRow
    from app.panels.player import PlayerPanel
    from app.panels.results import ResultsPanel
    from app.settings import Settings
    from core.library import Focus

_NEIGHBOURS = 3


class Audition(QObject):
    """Opens rows in the player and marks the one that is heard.

    Args:
        results: Where the rows stand.
        player: Plays them.
        settings: Whether going to a row plays it.
        parent: Owner.
    """

    def __init__(
        self, *, results: ResultsPanel, player: PlayerPanel, settings: Settings, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._results, self._player, self._settings = results, player, settings
        self._current: ResultRow | None = None
        self._focus: tuple[int, Focus] | None = None

    def go_to(self, row: ResultRow | None) -> None:
        """The keyboard is at another row."""
        self._current, self._focus = row, None
        if row is not None:
            self._open(row, play=self._settings.audio.auto_audition and self._may_play(), is_asked=False)

    def play(self, row: ResultRow) -> None:
        """Play a row, from its moment."""
        self._open(row, play=True)

    def sharpen(self, file_id: int, focus: Focus) -> None:
        """It is known by now where in the current sound that is what was asked for: light it, and begin there.

        What plays already goes on.
        """
        row = self._current
        if row is None or row.file_id != file_id or row.path != self._player.path or row.span is None:
            return
        self._focus = file_id, focus
        if self._player.controller.state is PlayState.STOPPED:
            self._open(row, play=False, is_asked=False)
        else:
            self._player.view.set_moments((focus.span,))

    def hear_other(self, path: Path, file_id: int) -> None:
        """Go to a sound if it is listed, and play it wherever it is."""
        self._results.go_to(file_id)
        self._player.open(path, None, play=True)

    def follow(self, path: Path | None, position_s: float) -> None:
        """The player has come to a position."""
        is_here = path is not None and self._current is not None and self._current.path == path
        self._results.set_playing(self._current.file_id if is_here and self._current else None, position_s)

    def _open(self, row: ResultRow, *, play: bool, is_asked: bool = True) -> None:
        self._current = row
        hit = self._results.current_hit()
        # Where all of a short sound matched there is no moment of it to be lit.
        moments = () if hit is None or row.span is None else tuple(moment.span for moment in hit.moments)
        span = row.span
        if self._focus is not None and self._focus[0] == row.file_id and span is not None:
            focus = self._focus[1]
            span, moments = Span(focus.start_s, focus.span.end_s), (focus.span,)
        self._player.open(row.path, span, play=play, moments=moments, duration_s=row.duration_s, is_asked=is_asked)
        self._player.prepare([(near.path, near.span) for near in self._neighbours()])

    def _neighbours(self) -> list[ResultRow]:
        """The rows that may be played next, nearest first."""
        board = self._results.board
        now = board.list.currentIndex().row()
        rows = [row for step in range(1, _NEIGHBOURS + 1) for row in (now + step, now - step)]
        return [found for row in rows if 0 <= row < board.model.rowCount() for found in board.results([row])]

    def _may_play(self) -> bool:
        """Only what the user goes through is heard, not what a refreshed list happens to stand at."""
        focus = QApplication.focusWidget()
        return focus is not None and self._results.isAncestorOf(focus)
