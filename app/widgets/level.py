"""A level meter: how loud it is, how loud it was, and whether it was too loud."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, tokens

FLOOR_DB = -60.0
_FALL_DB = 1.5
_HELD_LOOKS = 30


class LevelMeter(QWidget):
    """A horizontal bar from -60 dB to full scale, with a line where the peak was.

    It falls by 1.5 dB with every `show_peak`, so that short sounds can be seen.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level_db = FLOOR_DB
        self._held_db = FLOOR_DB
        self._held_for = 0
        self._has_clipped = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Level"))

    @property
    def level_db(self) -> float:
        """What the bar shows."""
        return self._level_db

    @property
    def has_clipped(self) -> bool:
        """Whether the mark at the end is lit."""
        return self._has_clipped

    def show_peak(self, peak: float, *, has_clipped: bool = False) -> None:
        """Show the largest sample since the last time, full scale at 1."""
        level_db = max(FLOOR_DB, 20 * math.log10(peak)) if peak > 0 else FLOOR_DB
        self._level_db = max(level_db, self._level_db - _FALL_DB, FLOOR_DB)
        self._held_for -= 1
        if level_db >= self._held_db or self._held_for <= 0:
            self._held_db, self._held_for = level_db, _HELD_LOOKS
        self._has_clipped = has_clipped
        self.setAccessibleDescription(self.tr("{0} dB").format(round(self._level_db)))
        self.update()

    def reset(self) -> None:
        """Show nothing."""
        self._level_db = self._held_db = FLOOR_DB
        self._held_for, self._has_clipped = 0, False
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, 3 * GRID)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 3 * GRID)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = tokens()
        bar = QRectF(self.rect()).adjusted(0, GRID, -4 * GRID, -GRID)
        painter.fillRect(bar, colours.colour("surface2"))
        painter.fillRect(
            QRectF(bar.left(), bar.top(), self._share(self._level_db) * bar.width(), bar.height()),
            colours.colour("accent"),
        )
        if self._held_db > FLOOR_DB:
            x = bar.left() + self._share(self._held_db) * (bar.width() - 2)
            painter.fillRect(QRectF(x, bar.top() - 2, 2, bar.height() + 4), colours.colour("text"))
        mark = QRectF(bar.right() + GRID, bar.top() - 2, 2 * GRID, bar.height() + 4)
        painter.fillRect(mark, colours.colour("red" if self._has_clipped else "surface2"))

    def _share(self, level_db: float) -> float:
        return min(1.0, max(0.0, 1 - level_db / FLOOR_DB))
