"""The inspector: everything about the current sound, and why it is an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from app.models.fact import facts_of, problem_of
from app.models.row import ResultRow, plain
from app.plain import PlainLabel
from app.theme import GRID, icon
from app.widgets.caption_card import CaptionCard
from app.widgets.fact_list import FactList
from app.widgets.moment_curve import MomentCurve
from app.widgets.plain_text import PlainText
from app.widgets.sound_links import SoundLink, SoundLinks
from app.widgets.star_row import StarRow
from app.widgets.tag_row import TagRow
from app.widgets.why_list import WhyList
from core.errors import KnownError, UnusableFileError
from core.search.query import Query, QuerySpec
from core.search.result import Hit

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs.runner import JobRunner
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.library import FileDetail, Focus, Library

# Going through rows quickly must not ask for everything of each.
_REST_MS = 120
_SIMILAR = 8


class InspectorPanel(QWidget):
    """The right side of the window.

    Args:
        library: Says what is known, and keeps what is changed here.
        runner: Asks it in the background.
        settings: The program's.
        errors: Where failures go.
        shortcuts: For hints.
        parent: Owner.

    Attributes:
        edited: (list[int]) rating, tags, favourite or caption of these files were changed.
        similar_activated: (Path, int) a similar sound or a duplicate is to be looked at.
        more_like_this: (Path, Span | None) search by this sound.
        moment_activated: (Path, Span) a moment is to be heard.
        focused: (int, Focus) it is known where in this file the sound is that was asked for.
    """

    edited = Signal(object)
    similar_activated = Signal(object, int)
    more_like_this = Signal(object, object)
    moment_activated = Signal(object, object)
    focused = Signal(int, object)

    def __init__(
        self,
        library: Library,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._library = library
        self._runner = runner
        self._errors = errors
        self._row: ResultRow | None = None
        self._spec: QuerySpec | None = None
        self._detail: FileDetail | None = None
        self._number = 0
        self._peak_s: float | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._load_rest)
        self.name = PlainText()
        self.folder = PlainText(secondary=True)
        self.problem = PlainLabel(wraps=True)
        self.problem.setProperty("role", "failed")
        self.favourite = QToolButton()
        self.rating = StarRow()
        self.curve = MomentCurve()
        self.curve_note = PlainLabel(wraps=True)
        self.curve_note.setProperty("role", "secondary")
        self.why = WhyList()
        self.caption = CaptionCard()
        self.tags = TagRow()
        self.facts = FactList()
        self.similar = SoundLinks()
        self.duplicates = SoundLinks()
        self.more_button = QPushButton(icon("similar"), self.tr("More like this"))
        self.more_button.setToolTip(shortcuts.hint("search.more_like_this"))
        self.caption.edit_button.setToolTip(shortcuts.hint("caption.edit"))
        self.caption.copy_button.setToolTip(shortcuts.hint("copy.caption"))
        self._nothing = PlainLabel(self.tr("Choose a sound to see what is known of it."), wraps=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.setProperty("role", "secondary")
        self._sections: dict[str, QFrame] = {}
        self._scroll = QScrollArea()
        self._build()
        self._connect()
        self.show_row(None)

    def _build(self) -> None:
        self.favourite.setCheckable(True)
        self.favourite.setAutoRaise(True)
        self.favourite.setIcon(icon("star"))
        self.favourite.setText(self.tr("Favourite"))
        self.favourite.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.favourite.setAccessibleName(self.tr("Favourite"))
        self.favourite.setToolTip(self.tr("Favourite"))
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 2 * GRID)
        layout.setSpacing(0)
        for key, title, widgets in (
            ("head", "", (self.name, self.folder, self.problem, self._marks())),
            ("why", self.tr("Why this matched"), (self.curve, self.curve_note, self.why)),
            ("caption", self.tr("Caption"), (self.caption,)),
            ("tags", self.tr("Tags"), (self.tags,)),
            ("similar", self.tr("Similar sounds"), (self.similar, self.more_button)),
            ("duplicates", self.tr("Duplicates"), (self.duplicates,)),
            ("facts", self.tr("Metadata"), (self.facts,)),
        ):
            self._sections[key] = _section(title, widgets)
            layout.addWidget(self._sections[key])
        layout.addStretch(1)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._nothing)
        whole.addWidget(self._scroll)

    def _marks(self) -> QWidget:
        marks = QWidget()
        row = QHBoxLayout(marks)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.rating, 1)
        row.addWidget(self.favourite)
        return marks

    def _connect(self) -> None:
        self.favourite.clicked.connect(self._set_favourite)
        self.rating.rated.connect(self._set_rating)
        self.curve.chosen.connect(self._on_moment)
        self.caption.edited.connect(self._edit_caption)
        self.caption.restored.connect(lambda: self._change(lambda file_id: self._library.restore_caption(file_id)))
        self.caption.regenerated.connect(self.regenerate)
        self.caption.copied.connect(lambda text: QGuiApplication.clipboard().setText(text))
        self.tags.added.connect(lambda name: self._change(lambda file_id: self._library.add_tag([file_id], name)))
        self.tags.removed.connect(lambda name: self._change(lambda file_id: self._library.remove_tag([file_id], name)))
        self.similar.opened.connect(self.similar_activated)
        self.duplicates.opened.connect(self.similar_activated)
        self.more_button.clicked.connect(self._on_more)

    # What others use.

    @property
    def row(self) -> ResultRow | None:
        """The sound that is shown."""
        return self._row

    def show_row(self, row: ResultRow | None, spec: QuerySpec | None = None, hit: Hit | None = None) -> None:
        """Show a sound.

        Args:
            row: The sound, or None for nothing.
            spec: The question that it answers, if one was asked.
            hit: What the search said of it.
        """
        is_other = row is None or self._row is None or row.file_id != self._row.file_id
        if is_other:
            self.caption.save_edit()  # what is being written belongs to the sound before
        self._number += 1
        self._row, self._spec = row, spec
        self._peak_s = None
        self._rest.stop()
        self._nothing.setVisible(row is None)
        self._scroll.setVisible(row is not None)
        if row is None:
            self._detail = None
            return
        self._sections["why"].setVisible(hit is not None)
        self.why.show_why(None if hit is None else hit.why)
        if is_other:
            self.name.set_text(plain(row.name))
            self.folder.set_text(plain(str(row.path.parent)))
            self.curve.show_moments((), row.duration_s or 0.0)
            self.curve_note.setText("")
            self._scroll.verticalScrollBar().setValue(0)
        self._load_detail()
        self._rest.start()

    def reload(self, file_ids: Sequence[int] | None = None) -> None:
        """These files have changed in the catalogue; None: any may have."""
        if self._row is not None and (file_ids is None or self._row.file_id in file_ids):
            self._load_detail()

    def edit_caption(self) -> None:
        """Let the caption be written."""
        if self._row is not None:
            self._scroll.ensureWidgetVisible(self.caption)
            self.caption.begin_edit()

    def regenerate(self) -> None:
        """Have the model write the caption anew."""
        self.caption.facts.setText(self.tr("Listening…"))
        self.caption.facts.show()
        self._change(lambda file_id: self._library.regenerate_caption(file_id))

    # Loading.

    def _call(self, work: Callable[[], Any], show: Callable[[Any], None], name: str) -> None:
        """Ask in the background; what comes after another sound was chosen is not shown."""
        number = self._number
        self._runner.call(
            work,
            on_result=lambda found: show(found) if number == self._number else None,
            on_failed=lambda error: self._on_failed(error) if number == self._number else None,
            name=name,
        )

    def _load_detail(self) -> None:
        row, library = self._row, self._library
        if row is not None:
            file_id = row.file_id
            self._call(lambda: (library.detail(file_id), library.tags()), self._on_detail, "inspect")

    def _load_rest(self) -> None:
        row, spec, library = self._row, self._spec, self._library
        if row is None:
            return
        if spec is not None and self._sections["why"].isVisibleTo(self) and not _is_silent(spec):
            query = spec.build()
            self._call(lambda: library.moments(row.file_id, query), self._on_moments, "moments")
        self._call(lambda: library.similar(row.path, limit=_SIMILAR), self._on_similar, "similar")
        self._call(lambda: library.duplicates(row.file_id), self._on_duplicates, "duplicates")
        if spec is not None and row.span is not None and not _is_silent(spec):
            query = spec.build()
            self._call(lambda: _focus(library, row.file_id, query), self._on_focus, "focus")

    def _on_detail(self, found: tuple[FileDetail, list[Any]]) -> None:
        before = self._detail
        self._detail, tags = found
        row = self._detail.row
        if before is not None and before.row.id == row.id and before.row.state != row.state:
            self._rest.start()  # it was listened to meanwhile, so that others can be told to be like it
        self.name.set_text(plain(row.name))
        self.folder.set_text(row.folder)
        self.problem.setText(problem_of(row))
        self.problem.setVisible(bool(self.problem.text()))
        self.favourite.setChecked(row.is_favourite)
        self.favourite.setIcon(icon("star-filled" if row.is_favourite else "star"))
        self.rating.set_rating(row.rating)
        if not self.caption.is_editing:
            self.caption.show_caption(row.caption)
        self.tags.show_tags(row.tags)
        self.tags.offer([tag.name for tag in tags])
        self.facts.show_facts(facts_of(self._detail))

    def _on_moments(self, moments: Any) -> None:
        duration_s = 0.0 if self._row is None or self._row.duration_s is None else self._row.duration_s
        self.curve.show_moments(moments, duration_s)
        if self._peak_s is not None:
            self.curve.show_peak(self._peak_s)  # it may have been found first
        matches = sum(moment.relevance >= 0.5 for moment in moments)
        if len(moments) < 2:
            text = self.tr("The sound is as short as one window.") if moments else ""
        elif matches:
            text = self.tr("{matches} of {windows} windows match; click one to hear it.")
        else:
            text = self.tr("No single window matches well.")
        self.curve_note.setText(text.format(matches=matches, windows=len(moments)))
        self.curve_note.setVisible(bool(text))

    def _on_focus(self, focus: Focus | None) -> None:
        if focus is not None and self._row is not None:
            self._peak_s = focus.peak_s
            self.curve.show_peak(focus.peak_s)
            self.focused.emit(self._row.file_id, focus)

    def _on_similar(self, result: Any) -> None:
        links = [SoundLink(hit.path, hit.file_id, relevance=hit.relevance) for hit in result.hits]
        self.similar.show_links(links, otherwise=self.tr("Nothing else sounds like it."))

    def _on_duplicates(self, duplicates: Any) -> None:
        links = [
            SoundLink(
                other.path,
                other.file_id,
                self.tr("same bytes") if other.kind == "exact" else self.tr("sounds the same"),
            )
            for other in duplicates
        ]
        self.duplicates.show_links(links, otherwise=self.tr("None found."))

    def _on_failed(self, error: BaseException) -> None:
        """A file that is gone or cannot be read is said here, where it is looked at, and not in a dialog."""
        if isinstance(error, KnownError):
            self.problem.setText(str(error))
            self.problem.show()
            self.reload_caption_facts()
        else:
            self._errors.raised(error)

    def reload_caption_facts(self) -> None:
        """Take back “Listening…” where nothing came of it."""
        if not self.caption.is_editing and self._detail is not None:
            self.caption.show_caption(self._detail.row.caption)

    # Changing.

    def _change(self, work: Callable[[int], object]) -> None:
        """Change something of the sound in the catalogue, and tell of it."""
        row = self._row
        if row is None:
            return
        file_id = row.file_id

        def done(_: object) -> None:
            self.edited.emit([file_id])
            if self._row is not None and self._row.file_id == file_id:
                self._load_detail()

        self._runner.call(lambda: work(file_id), on_result=done, on_failed=self._on_failed, name="edit")

    def _set_favourite(self, on: bool) -> None:
        self._change(lambda file_id: self._library.set_favourite([file_id], on))

    def _set_rating(self, rating: int) -> None:
        self._change(lambda file_id: self._library.set_rating([file_id], rating))

    def _edit_caption(self, text: str) -> None:
        self._change(lambda file_id: self._library.edit_caption(file_id, text))

    def _on_moment(self, span: object) -> None:
        if self._row is not None:
            self.moment_activated.emit(self._row.path, span)

    def _on_more(self) -> None:
        if self._row is not None:
            self.more_like_this.emit(self._row.path, None)


def _focus(library: Library, file_id: int, query: Query) -> Focus | None:
    """Where the sound itself is; None also for a file that cannot be read just now, whose windows must do."""
    try:
        return library.focus(file_id, query)
    except UnusableFileError:
        return None


def _section(title: str, widgets: tuple[QWidget, ...]) -> QFrame:
    section = QFrame()
    section.setObjectName("section")
    layout = QVBoxLayout(section)
    layout.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
    layout.setSpacing(GRID + 2)
    if title:
        heading = PlainLabel(title.upper())
        heading.setProperty("role", "heading")
        layout.addWidget(heading)
    for widget in widgets:
        layout.addWidget(widget)
    return section


def _is_silent(spec: QuerySpec) -> bool:
    """Whether a question describes no sound."""
    return not (spec.text.strip() or spec.clips or spec.negatives)
