"""A label that shortens its text: names in the middle, where they differ least, sentences at their end."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.plain import PlainLabel, plain_tooltip


class ElidedLabel(PlainLabel):
    """Takes whatever width it is given; the whole text is in its tooltip."""

    def __init__(self, parent: QWidget | None = None, *, name: str = "", is_sentence: bool = False) -> None:
        super().__init__("", parent, name=name)
        self._whole = ""
        self._mode = Qt.TextElideMode.ElideRight if is_sentence else Qt.TextElideMode.ElideMiddle
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def whole_text(self) -> str:
        """The text before it was shortened."""
        return self._whole

    def show_text(self, text: str, *, hint: str = "") -> None:
        """Show a text.

        Args:
            text: It.
            hint: For the tooltip, the text itself by default.
        """
        self._whole = text
        self.setToolTip(plain_tooltip(hint or text))
        self.setAccessibleName(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def _fit(self) -> None:
        metrics = QFontMetrics(self.font())
        self.setText(metrics.elidedText(self._whole, self._mode, self.width()))
