"""Filters: which files count at all. Every choice is an expression that could be typed as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.models.filter import CHANNELS, FORMATS, RATES_KHZ, Choices, choices_of, problem_of
from app.plain import PlainLabel
from app.theme import GRID
from app.widgets.choice_row import ChoiceRow

if TYPE_CHECKING:
    from app.jobs.runner import JobRunner
    from core.library import Library

_LABEL_PX = 76
_NUMBER_PX = 84


class FiltersPanel(QWidget):
    """All filters.

    Args:
        library: Says which folders, tags and categories there are.
        runner: Asks it in the background.
        parent: Owner.

    Attributes:
        changed: (tuple[str, ...]) the expressions, whenever they change and can be understood.
    """

    changed = Signal(object)

    def __init__(self, library: Library, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._runner = runner
        self._is_setting = False
        self._told: tuple[str, ...] = ()
        self._others: tuple[str, ...] = ()
        self.folder = self._line(self.tr("Any folder; part of its name or path"))
        self.formats = ChoiceRow([(name, name.upper()) for name in FORMATS], several=True)
        self.rate = ChoiceRow([("", self.tr("Any")), *((rate, f"≥ {rate}k") for rate in RATES_KHZ)])
        words = {"1": self.tr("Mono"), "2": self.tr("Stereo"), ">2": self.tr("More")}
        self.channels = ChoiceRow([("", self.tr("Any")), *((count, words[count]) for count in CHANNELS)])
        self.least_duration, self.most_duration = self._number("0:00"), self._number(self.tr("any"))
        self.least_loudness, self.most_loudness = self._number("−60"), self._number("0")
        self.category = self._combo(self.tr("Any category"))
        self.tag = self._combo(self.tr("Any tag"))
        self.rating = ChoiceRow([("", self.tr("Any")), *((str(stars), "★" * stars) for stars in range(1, 6))])
        self.favourite = QCheckBox(self.tr("Only favourites"))
        self.captioned = ChoiceRow([("", self.tr("Any")), ("yes", self.tr("Captioned")), ("no", self.tr("Not yet"))])
        self._problem = PlainLabel(wraps=True)
        self._problem.setProperty("role", "failed")
        self._other_label = PlainLabel(wraps=True)
        self._other_label.setProperty("role", "secondary")
        self.reset_button = QPushButton(self.tr("Clear all filters"))
        self._build()
        self._connect()
        self._show_state()

    def expressions(self) -> tuple[str, ...]:
        """The expressions as they were when they could last be understood."""
        return self._told

    def set_expressions(self, expressions: Sequence[str]) -> None:
        """Show other filters; `changed` is not told."""
        choices = choices_of(expressions)
        self._is_setting = True
        self.folder.setText(choices.folder)
        self.formats.set_values(choices.formats)
        self.rate.set_values((choices.least_rate_khz,))
        self.channels.set_values((choices.channels,))
        for line, text in (
            (self.least_duration, choices.least_duration),
            (self.most_duration, choices.most_duration),
            (self.least_loudness, choices.least_loudness),
            (self.most_loudness, choices.most_loudness),
        ):
            line.setText(text)
        self.category.setEditText(choices.category)
        self.tag.setEditText(choices.tag)
        self.rating.set_values((str(choices.least_rating or ""),))
        self.favourite.setChecked(choices.is_favourite)
        self.captioned.set_values((choices.captioned,))
        self._others = choices.others
        self._is_setting = False
        self._told = tuple(expressions)
        self._show_state()

    def choices(self) -> Choices:
        """What is chosen at present."""
        minus = "\N{MINUS SIGN}"
        return Choices(
            folder=self.folder.text().strip(),
            formats=self.formats.values(),
            least_rate_khz=self.rate.value(),
            channels=self.channels.value(),
            least_duration=self.least_duration.text().strip(),
            most_duration=self.most_duration.text().strip(),
            least_loudness=self.least_loudness.text().strip().replace(minus, "-"),
            most_loudness=self.most_loudness.text().strip().replace(minus, "-"),
            category=self.category.currentText().strip(),
            tag=self.tag.currentText().strip(),
            least_rating=int(self.rating.value() or 0),
            is_favourite=self.favourite.isChecked(),
            captioned=self.captioned.value(),
            others=self._others,
        )

    def clear(self) -> None:
        """Let everything pass."""
        self.set_expressions(())
        self.changed.emit(())

    def reload(self) -> None:
        """Read anew which folders, categories and tags there are."""
        library = self._library
        self._runner.call(
            lambda: (
                [str(root.path) for root in library.roots()],
                sorted({count.category for count in library.ucs_counts()}),
                [count.cat_id for count in library.ucs_counts()],
                [count.name for count in library.tags()],
            ),
            on_result=self._on_loaded,
            name="filters",
        )

    def _on_loaded(self, found: tuple[list[str], list[str], list[str], list[str]]) -> None:
        folders, categories, cat_ids, tags = found
        self._is_setting = True
        completer = QCompleter(QStringListModel(folders, self), self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.folder.setCompleter(completer)
        _offer(self.category, [*categories, *cat_ids])
        _offer(self.tag, tags)
        self._is_setting = False

    def _build(self) -> None:
        rows: tuple[tuple[str, QWidget], ...] = (
            (self.tr("Folder"), self.folder),
            (self.tr("Format"), self.formats),
            (self.tr("Rate"), self.rate),
            (self.tr("Channels"), self.channels),
            (self.tr("Length"), _between(self.least_duration, self.most_duration, self.tr("m:ss or seconds"))),
            (self.tr("Loudness"), _between(self.least_loudness, self.most_loudness, self.tr("LUFS"))),
            (self.tr("Category"), self.category),
            (self.tr("Tag"), self.tag),
            (self.tr("Rating from"), self.rating),
            ("", self.favourite),
            (self.tr("Captions"), self.captioned),
        )
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(2 * GRID)
        grid.setColumnMinimumWidth(0, _LABEL_PX)
        for row, (label, widget) in enumerate(rows):
            words = PlainLabel(label)
            words.setBuddy(widget)
            grid.addWidget(words, row, 0)
            grid.addWidget(widget, row, 1)
            if label and not widget.accessibleName():
                widget.setAccessibleName(label)
        foot = QHBoxLayout()
        foot.addWidget(self._other_label, 1)
        foot.addWidget(self.reset_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * GRID)
        layout.addLayout(grid)
        layout.addWidget(self._problem)
        layout.addLayout(foot)
        self.least_duration.setAccessibleName(self.tr("Shortest length"))
        self.most_duration.setAccessibleName(self.tr("Greatest length"))
        self.least_loudness.setAccessibleName(self.tr("Softest loudness"))
        self.most_loudness.setAccessibleName(self.tr("Greatest loudness"))

    def _connect(self) -> None:
        for line in (*(self.folder, self.least_duration, self.most_duration, self.least_loudness, self.most_loudness),):
            line.textEdited.connect(self._on_changed)
        for row in (self.formats, self.rate, self.channels, self.rating, self.captioned):
            row.changed.connect(self._on_changed)
        for combo in (self.category, self.tag):
            combo.editTextChanged.connect(self._on_changed)
        self.favourite.toggled.connect(self._on_changed)
        self.reset_button.clicked.connect(self.clear)

    def _on_changed(self) -> None:
        if self._is_setting:
            return
        choices = self.choices()
        problem = problem_of(choices)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        if not problem and choices.expressions() != self._told:
            self._told = choices.expressions()
            self._show_state()
            self.changed.emit(self._told)

    def _show_state(self) -> None:
        problem = problem_of(self.choices())
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        others = " · ".join(self._others)
        self._other_label.setText(self.tr("Also: {filters}").format(filters=others) if others else "")
        self.reset_button.setEnabled(bool(self._told))

    def _line(self, hint: str) -> QLineEdit:
        line = QLineEdit()
        line.setPlaceholderText(hint)
        line.setClearButtonEnabled(True)
        line.setMinimumWidth(300)
        return line

    def _number(self, hint: str) -> QLineEdit:
        line = QLineEdit()
        line.setPlaceholderText(hint)
        line.setFixedWidth(_NUMBER_PX)
        return line

    def _combo(self, hint: str) -> QComboBox:
        combo = QComboBox()
        combo.setEditable(True)
        combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        line = combo.lineEdit()
        assert line is not None
        line.setPlaceholderText(hint)
        return combo


def _between(least: QWidget, most: QWidget, unit: str) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2 * GRID)
    layout.addWidget(least)
    layout.addWidget(PlainLabel("–"))
    layout.addWidget(most)
    words = PlainLabel(unit)
    words.setProperty("role", "secondary")
    layout.addWidget(words)
    layout.addStretch(1)
    return row


def _offer(combo: QComboBox, values: Sequence[str]) -> None:
    """Offer other values; what is chosen stays."""
    chosen = combo.currentText()
    combo.clear()
    combo.addItems(["", *values])
    combo.setEditText(chosen)
