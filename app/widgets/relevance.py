"""Relevance as a calm bar of five steps."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.delegates.ink import RELEVANCE_WIDTH_PX, Ink
from app.models.row import RELEVANCE_STEPS, relevance_steps
from app.theme import body_font


class RelevanceBar(QWidget):
    """The bar by itself, as it stands in every row.

    Args:
        relevance: Probability of a match, 0 to 1.
        parent: Owner.
    """

    def __init__(self, relevance: float = 0.0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ink = Ink(body_font())
        self._relevance = relevance
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_relevance(relevance)

    @property
    def steps(self) -> int:
        """Steps that are filled, 0 to 5."""
        return relevance_steps(self._relevance)

    def set_relevance(self, relevance: float) -> None:
        """Show another relevance."""
        self._relevance = relevance
        self.setToolTip(self.tr("{percent} likely").format(percent=f"{relevance:.0%}"))
        self.setAccessibleName(self.tr("Match {steps} of {most}").format(steps=self.steps, most=RELEVANCE_STEPS))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(RELEVANCE_WIDTH_PX + 1, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._ink.relevance(painter, QPointF(0, 2), self.steps, is_weak=self.steps < 3)
