"""What pages of settings are made of."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from app.plain import PlainLabel
from app.theme import GRID


def form_on(page: QWidget) -> QFormLayout:
    """An empty form at the top of a page."""
    form = QFormLayout()
    form.setHorizontalSpacing(4 * GRID)
    form.setVerticalSpacing(2 * GRID)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout = QVBoxLayout(page)
    layout.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
    layout.addLayout(form)
    layout.addStretch()
    return form


def side_by_side(*widgets: QWidget) -> QWidget:
    """Widgets on one line, as wide as they need to be."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2 * GRID)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch()
    return row


def note(text: str = "", *, name: str = "") -> PlainLabel:
    """A small sentence below a field."""
    label = PlainLabel(text, wraps=True, name=name)
    label.setProperty("role", "secondary")
    return label


def choice(name: str) -> QComboBox:
    """A list to choose from; `name` is what a screen reader calls it."""
    box = QComboBox()
    box.setAccessibleName(name)
    return box


def switch(label: str, is_on: bool) -> QCheckBox:
    """Something that is so or not."""
    box = QCheckBox(label)
    box.setChecked(is_on)
    return box


def number(name: str, least: int, most: int, value: int, unit: str = "") -> QSpinBox:
    """A whole number; `name` is what a screen reader calls it."""
    box = QSpinBox()
    box.setRange(least, most)
    box.setValue(value)
    box.setSuffix(unit)
    box.setAccessibleName(name)
    # A style sheet's padding does not reach the text of a spin box.
    box.lineEdit().setTextMargins(GRID + 2, 0, 0, 0)
    return box
