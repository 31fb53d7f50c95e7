"""Asking: the query bar with what belongs to it, and the way back and forward through what was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.drag import examples_of as dragged_examples
from app.panels.filters import FiltersPanel
from app.plain import PlainLabel
from app.theme import GRID, icon
from app.widgets.query_bar import Example, QueryBar
from core.errors import QueryError
from core.search.query import QuerySpec
from core.types import Span

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs.runner import JobRunner
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.library import Library

_HISTORY = 200
# What was typed counts as a question of its own, to go back to, when nothing was changed for so long.
_SETTLE_MS = 1_500
_MOST_STEPS = 100


class SearchPanel(QWidget):
    """The row on top of the window.

    Args:
        library: For history, saved searches and what filters offer.
        runner: Reads and writes them in the background.
        settings: The program's.
        errors: Where failures go.
        shortcuts: For the hints of buttons.
        examples_of: What a drop offers as examples; `app.drag.examples_of` by default.
        parent: Owner.

    Attributes:
        query_changed: (QuerySpec) with every letter.
        submitted: (QuerySpec) Enter, or a question of the past.
        record_requested: The microphone.
        results_wanted: Down: the focus should go to the results.
        saved: A search was saved.
    """

    query_changed = Signal(object)
    submitted = Signal(object)
    record_requested = Signal()
    results_wanted = Signal()
    saved = Signal()

    def __init__(
        self,
        library: Library,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        *,
        examples_of: Callable[[QMimeData], Sequence[Example]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._library = library
        self._runner = runner
        self._settings = settings
        self._errors = errors
        self._shortcuts = shortcuts
        self._trail: list[QuerySpec] = []
        self._place = -1
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._note)
        self.bar = QueryBar(examples_of=examples_of or dragged_examples)
        self.filters = FiltersPanel(library, runner)
        self._popover = Popover(self)
        self._popover.hold(self.filters)
        self._save_popover = SavePopover(self)
        self.back_button = self._button("back", "search.back", self.go_back)
        self.forward_button = self._button("forward", "search.forward", self.go_forward)
        self.record_button = self._button("mic", "search.record", self.record_requested.emit)
        self.save_button = self._button("bookmark", "search.save", self.open_save)
        self.filter_button = QToolButton()
        self._build()
        self.bar.changed.connect(self._on_changed)
        self.bar.submitted.connect(self._on_submitted)
        self.bar.went_down.connect(self.results_wanted)
        self.filters.changed.connect(lambda _: self._on_changed())
        self._save_popover.named.connect(self._save)
        shortcuts.changed.connect(lambda _: self._hint())
        self._show_filter_count()
        self._show_steps()
        self.load_history()

    def _build(self) -> None:
        self.filter_button.setIcon(icon("filter"))
        self.filter_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.filter_button.setAccessibleName(self.tr("Filters"))
        self.filter_button.clicked.connect(self.toggle_filters)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        top = Qt.AlignmentFlag.AlignTop
        layout.addWidget(self.back_button, 0, top)
        layout.addWidget(self.forward_button, 0, top)
        layout.addWidget(self.bar, 1)
        for widget in (self.record_button, self.save_button, self.filter_button):
            layout.addWidget(widget, 0, top)
        self.filter_button.setFixedHeight(9 * GRID)

    # What others use.

    def spec(self) -> QuerySpec:
        """The question as it stands."""
        return self.bar.spec(self.filters.expressions())

    def set_spec(self, spec: QuerySpec, *, remember: bool = True) -> None:
        """Ask something else.

        Args:
            spec: The question.
            remember: Whether it becomes a step that one can go back to.
        """
        self.filters.set_expressions(spec.where)
        self.bar.set_spec(spec)
        if remember:
            self._note()

    def add_clip(self, path: Path, span: Span | None = None, weight: float = 1.0) -> None:
        """Ask for sounds like this, too."""
        self.bar.add_clip(path, span, weight)
        self._note()

    def add_negative(self, text: str) -> None:
        """Ask for sounds unlike this."""
        self.bar.add_negative(text)
        self._note()

    def drop_negatives(self) -> None:
        """Ask the same without what is not wanted."""
        spec = self.spec()
        self.set_spec(QuerySpec(spec.text, spec.text_weight, spec.clips, (), spec.where))

    def drop_filters(self) -> None:
        """Ask the same of everything."""
        spec = self.spec()
        self.set_spec(QuerySpec(spec.text, spec.text_weight, spec.clips, spec.negatives, ()))

    def clear(self) -> None:
        """Ask nothing."""
        self.set_spec(QuerySpec())

    def focus(self) -> None:
        """Put the cursor into the text, all of it selected."""
        self.bar.line.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.bar.line.selectAll()

    def toggle_filters(self) -> None:
        """Open or close the filters."""
        if self._popover.isVisible():
            self._popover.close()
        else:
            self.filters.reload()
            self._popover.open_below(self.filter_button)

    def open_save(self) -> None:
        """Ask for a name to save the question under."""
        if not self.spec().is_empty:
            self._save_popover.open_below(self.save_button, suggestion=self.bar.line.text().strip())

    def load_history(self) -> None:
        """Read what was asked in the past, for the completions."""
        self._runner.call(lambda: self._library.history(_HISTORY), on_result=self._on_history, name="history")

    # Back and forward.

    def go_back(self) -> None:
        """Ask what was asked before this."""
        self._note()
        self._step(-1)

    def go_forward(self) -> None:
        """Ask what was asked after this."""
        self._step(1)

    def _step(self, step: int) -> None:
        place = self._place + step
        if 0 <= place < len(self._trail):
            self._place = place
            self._settle.stop()
            self.set_spec(self._trail[place], remember=False)
            self._settle.stop()
            self._show_steps()
            self.submitted.emit(self._trail[place])

    def _note(self) -> None:
        """Make the question a step of the trail."""
        self._settle.stop()
        spec = self.spec()
        if spec.is_empty or (0 <= self._place < len(self._trail) and self._trail[self._place] == spec):
            return
        self._trail = [*self._trail[: self._place + 1], spec][-_MOST_STEPS:]
        self._place = len(self._trail) - 1
        self._show_steps()

    def _show_steps(self) -> None:
        self.back_button.setEnabled(self._place > 0 or (self._place == 0 and self.spec() != self._trail[0]))
        self.forward_button.setEnabled(self._place < len(self._trail) - 1)

    # What happens.

    def _on_changed(self) -> None:
        spec = self.spec()
        self._show_filter_count()
        self._show_steps()
        self.save_button.setEnabled(not spec.is_empty)
        self._settle.start()
        self.query_changed.emit(spec)

    def _on_submitted(self) -> None:
        spec = self.spec()
        self._note()
        if not spec.is_empty:
            line = spec.to_json()
            self._runner.call(
                lambda: self._library.remember_search(line), on_result=lambda _: self.load_history(), name="history"
            )
        self.submitted.emit(spec)

    def _on_history(self, lines: list[str]) -> None:
        self.bar.line.set_history(list(dict.fromkeys(text for line in lines if (text := _text_of(line)))))

    def _save(self, name: str) -> None:
        line = self.spec().to_json()
        self._runner.call(
            lambda: self._library.save_search(name, line), on_result=lambda _: self._on_saved(name), name="save search"
        )

    def _on_saved(self, name: str) -> None:
        self._errors.notice(self.tr("Saved as “{name}”.").format(name=name))
        self.saved.emit()

    def _show_filter_count(self) -> None:
        count = len(self.filters.expressions())
        text = self.tr("Filters") if not count else self.tr("Filters · {count}").format(count=count)
        self.filter_button.setText(text)
        self._hint()

    def _hint(self) -> None:
        self.filter_button.setToolTip(self._shortcuts.hint("filters.toggle"))
        for button, action in (
            (self.back_button, "search.back"),
            (self.forward_button, "search.forward"),
            (self.record_button, "search.record"),
            (self.save_button, "search.save"),
        ):
            button.setToolTip(self._shortcuts.hint(action))

    def _button(self, name: str, action: str, do: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setAutoRaise(True)
        button.setFixedSize(9 * GRID, 9 * GRID)
        button.setAccessibleName(self._shortcuts.action(action).label)
        button.clicked.connect(lambda: do())
        return button


class Popover(QFrame):
    """A panel that opens below a button and goes when something else is clicked."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("popover")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)

    def hold(self, widget: QWidget) -> None:
        """Put something in."""
        self._layout.addWidget(widget)

    def open_below(self, button: QWidget) -> None:
        """Open it, its right edge at the button's, inside the screen."""
        self.adjustSize()
        corner = button.mapToGlobal(QPoint(button.width() - self.width(), button.height() + GRID))
        area = button.screen().availableGeometry()
        left = min(max(area.left(), corner.x()), max(area.left(), area.right() - self.width()))
        self.move(left, min(corner.y(), max(area.top(), area.bottom() - self.height())))
        self.show()


class SavePopover(Popover):
    """Asks for a name.

    Attributes:
        named: (str)
    """

    named = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.line = QLineEdit()
        self.line.setMinimumWidth(240)
        self.line.setMaxLength(200)
        self.line.setAccessibleName(self.tr("Name of the saved search"))
        self.line.setPlaceholderText(self.tr("Name"))
        button = QPushButton(self.tr("Save"))
        button.setProperty("role", "primary")
        row = QHBoxLayout()
        row.addWidget(self.line, 1)
        row.addWidget(button)
        self._layout.addWidget(PlainLabel(self.tr("Save this search")))
        self._layout.addLayout(row)
        self.line.returnPressed.connect(self._done)
        button.clicked.connect(self._done)

    def open_below(self, button: QWidget, *, suggestion: str = "") -> None:
        self.line.setText(suggestion)
        self.line.selectAll()
        super().open_below(button)
        self.line.setFocus()

    def _done(self) -> None:
        name = " ".join(self.line.text().split())
        if name:
            self.close()
            self.named.emit(name)


def _text_of(line: str) -> str:
    """The typed text of a remembered question; one of another version is passed over."""
    try:
        return QuerySpec.from_json(line).text
    except QueryError:
        return ""
