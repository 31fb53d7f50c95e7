"""The query bar: chips and text as one thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from app.plain import PlainLabel
from app.theme import GRID, icon, icon_pixmap
from app.widgets.chip import Chip, Part, stepped_weight, weight_text
from app.widgets.flow import FlowLayout
from app.widgets.query_line import QueryLine, local_files
from core.search.query import ClipPart, QuerySpec, TextPart
from core.types import Span

_NOT = re.compile(r"(?:^|\s)not:\s*(.*)$", re.IGNORECASE | re.DOTALL)
Example = tuple[Path, Span | None]


def split_negatives(line: str) -> tuple[str, tuple[str, ...]]:
    """What is wanted and what is not in a typed line: ``metal gate not: voices, wind``."""
    match = _NOT.search(line)
    if match is None:
        return line.strip(), ()
    unwanted = tuple(text for part in match.group(1).split(",") if (text := part.strip()))
    return line[: match.start()].strip(), unwanted


class QueryBar(QFrame):
    """A question as it is put together.

    Args:
        examples_of: What a drop offers as examples, with the stretch that is meant; files of a drag by default.
        parent: Owner.

    Attributes:
        changed: Something about the question has changed.
        submitted: Enter.
        went_down: The results are wanted.
    """

    changed = Signal()
    submitted = Signal()
    went_down = Signal()

    def __init__(
        self, *, examples_of: Callable[[QMimeData], Sequence[Example]] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("queryBar")
        self.setAccessibleName(self.tr("Query"))
        self.setAcceptDrops(True)
        self._examples_of = examples_of or _files_as_examples
        self._chips: list[Chip] = []
        self._text_weight = 1.0
        self._is_setting = False
        self.line = QueryLine(self)
        self.line.setObjectName("queryLine")
        self.line.setPlaceholderText(self.tr("Describe a sound, or drop one here"))
        self.line.setAccessibleName(self.tr("Search for a sound"))
        self._weight = PlainLabel()
        self._weight.setProperty("role", "secondary")
        self._weight.setToolTip(self.tr("Weight of the text; Alt+Up and Alt+Down change it"))
        self._weight.hide()
        self._area = QWidget()
        self._flow = FlowLayout(self._area, spacing=GRID)
        # The weight of the text and the text stay on one line.
        text = QWidget()
        text.setSizePolicy(self.line.sizePolicy())
        side_by_side = QHBoxLayout(text)
        side_by_side.setContentsMargins(0, 0, 0, 0)
        side_by_side.setSpacing(GRID)
        side_by_side.addWidget(self._weight)
        side_by_side.addWidget(self.line, 1)
        self._flow.addWidget(text)
        self._not_button = self._button("not", self.tr("Exclude a sound: what follows “not:” is not wanted"))
        self._clear_button = self._button("close", self.tr("Clear the search"))
        self._build()
        self._connect()
        self._on_changed()

    def _build(self) -> None:
        glass = QLabel()
        glass.setPixmap(icon_pixmap("search", ratio=self.devicePixelRatioF()))
        glass.setFixedSize(5 * GRID, 7 * GRID)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 3, 3, 3)
        layout.setSpacing(GRID)
        layout.addWidget(glass, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._area, 1)
        for button in (self._not_button, self._clear_button):
            layout.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)

    def _connect(self) -> None:
        line = self.line
        line.textChanged.connect(self._on_changed)
        line.returnPressed.connect(self._on_return)
        line.erased_at_start.connect(self._remove_last_chip)
        line.went_left.connect(self._focus_last_chip)
        line.went_down.connect(self.went_down)
        line.weight_stepped.connect(self._step_text_weight)
        line.files_pasted.connect(self._add_files)
        self._clear_button.clicked.connect(self.clear)
        self._not_button.clicked.connect(self._begin_negative)

    @property
    def chips(self) -> tuple[Chip, ...]:
        """The chips from left to right."""
        return tuple(self._chips)

    def spec(self, where: tuple[str, ...] = ()) -> QuerySpec:
        """The question as it stands, with filters from elsewhere."""
        text, typed = split_negatives(self.line.text())
        parts = [chip.part for chip in self._chips]
        return QuerySpec(
            text=text,
            text_weight=self._text_weight,
            clips=tuple(part for part in parts if isinstance(part, ClipPart)),
            negatives=(*(part for part in parts if isinstance(part, TextPart)), *map(TextPart, typed)),
            where=where,
        )

    def set_spec(self, spec: QuerySpec) -> None:
        """Show another question; `changed` is told once."""
        self._is_setting = True
        for chip in self._chips[:]:
            self._drop_chip(chip)
        parts: tuple[Part, ...] = (*spec.clips, *spec.negatives)
        for part in parts:
            self._insert(part, len(self._chips))
        self._text_weight = spec.text_weight
        self.line.setText(spec.text)
        self._is_setting = False
        self._on_changed()

    def add_clip(self, path: Path, span: Span | None = None, weight: float = 1.0, *, place: int | None = None) -> None:
        """Add an example; one that is there already is not added again."""
        part = ClipPart(path, span, weight)
        if any(isinstance(one, ClipPart) and (one.path, one.span) == (path, span) for one in self._parts()):
            return
        self._insert(part, len(self._chips) if place is None else place)
        self._on_changed()

    def add_negative(self, text: str) -> None:
        """Add what is not wanted."""
        text = " ".join(text.split())
        if text and not any(isinstance(one, TextPart) and one.text == text for one in self._parts()):
            self._insert(TextPart(text), len(self._chips))
            self._on_changed()

    def clear(self) -> None:
        """Ask nothing."""
        self.set_spec(QuerySpec())
        self.line.setFocus()

    def sizeHint(self) -> QSize:
        return QSize(480, 36)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.line.setFocus()

    # Drops: a file becomes a chip where it lands.

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._consider(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._consider(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._show_drop(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._show_drop(False)
        examples = self._examples_of(event.mimeData())
        if examples:
            place = self._place_at(event.position().toPoint())
            for offset, (path, span) in enumerate(examples):
                self.add_clip(path, span, place=place + offset)
        elif event.mimeData().hasText() and not event.mimeData().hasUrls():
            self.line.insert_mime(event.mimeData())
        else:
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.line.setFocus()

    def _consider(self, event: QDragMoveEvent) -> None:
        mime = event.mimeData()
        if self._examples_of(mime) or (mime.hasText() and not mime.hasUrls()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._show_drop(True)
        else:
            event.ignore()

    def _show_drop(self, shown: bool) -> None:
        self.setProperty("dropping", shown)
        self.style().unpolish(self)
        self.style().polish(self)

    def _place_at(self, point: QPoint) -> int:
        """Before which chip a drop at a point goes."""
        inside = self._area.mapFrom(self, point)
        for place, chip in enumerate(self._chips):
            box = chip.geometry()
            if inside.y() < box.top() or (inside.y() <= box.bottom() and inside.x() < box.center().x()):
                return place
        return len(self._chips)

    # Chips.

    def _parts(self) -> list[Part]:
        return [chip.part for chip in self._chips]

    def _insert(self, part: Part, place: int) -> None:
        chip = Chip(part, self._area)
        chip.removed.connect(lambda: self._remove(chip))
        chip.weight_changed.connect(self._on_changed)
        chip.left.connect(lambda step: self._focus_from(chip, step))
        self._chips.insert(place, chip)
        self._flow.insert(place, chip)
        chip.show()
        before = self._chips[place - 1] if place else None
        if before is not None:
            QWidget.setTabOrder(before, chip)
        QWidget.setTabOrder(self._chips[-1], self.line)

    def _remove(self, chip: Chip) -> None:
        place = self._chips.index(chip)
        had_focus = chip.hasFocus()
        self._drop_chip(chip)
        self._on_changed()
        if had_focus and place and self._chips:
            self._chips[place - 1].setFocus()
        else:
            self.line.setFocus()

    def _drop_chip(self, chip: Chip) -> None:
        chip.hide_weight()
        self._chips.remove(chip)
        self._flow.removeWidget(chip)
        chip.hide()
        chip.deleteLater()

    def _remove_last_chip(self) -> None:
        if self._chips:
            self._remove(self._chips[-1])

    def _focus_last_chip(self) -> None:
        if self._chips:
            self._chips[-1].setFocus()

    def _focus_from(self, chip: Chip, step: int) -> None:
        place = self._chips.index(chip) + step
        if 0 <= place < len(self._chips):
            self._chips[place].setFocus()
        elif place == len(self._chips):
            self.line.setFocus()
            self.line.setCursorPosition(0)

    def _add_files(self, files: Sequence[Path]) -> None:
        for path in files:
            self.add_clip(path)

    def _begin_negative(self) -> None:
        if "not:" not in self.line.text():
            self.line.setText(f"{self.line.text().rstrip()} not: ".lstrip())
        self.line.setFocus()
        self.line.end(False)

    def _step_text_weight(self, step: int) -> None:
        if self._chips:
            self._text_weight = stepped_weight(self._text_weight, step)
            self._on_changed()

    def _on_return(self) -> None:
        text, typed = split_negatives(self.line.text())
        if typed:
            self._is_setting = True
            self.line.setText(text)
            for negative in typed:
                self.add_negative(negative)
            self._is_setting = False
            self._on_changed()
        self.submitted.emit()

    def _on_changed(self) -> None:
        if self._is_setting:
            return
        shown = weight_text(self._text_weight) if self._chips else ""
        self._weight.setText(shown)
        self._weight.setVisible(bool(shown))
        self._clear_button.setVisible(bool(self.line.text() or self._chips))
        self._area.updateGeometry()
        self.updateGeometry()
        self.changed.emit()

    def _button(self, name: str, hint: str) -> QToolButton:
        button = QToolButton(self)
        button.setIcon(icon(name))
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        button.setAutoRaise(True)
        button.setFixedSize(7 * GRID, 7 * GRID)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button


def _files_as_examples(mime: QMimeData) -> list[Example]:
    return [(path, None) for path in local_files(mime)]
