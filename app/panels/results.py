"""Answering: results in a list or as captions, and honest words where there is nothing to list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QMimeData, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.drag import mime_for_rows
from app.models.roles import Column
from app.models.row import ResultRow
from app.panels.answer_words import AnswerWords
from app.panels.result_menu import ResultActions, Target, result_menu
from app.panels.results_board import Content, ResultsBoard
from app.phrase import sounds
from app.search import SearchAnswer
from app.widgets.banner import Banner, Offer
from app.widgets.results_head import ResultsHead
from app.widgets.state_page import StatePage
from core.errors import KnownError
from core.search.result import Hit
from core.types import IntArray

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs.runner import JobRunner
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.library import Library

_BUSY_SHOWN_MS = 300
_MENU_TAGS = 12
_RECENT = 1_000
_HEADER = "results"


class ResultsPanel(QWidget):
    """The middle of the window.

    Args:
        library: Rows, peaks and orders; collections and tags for the menu.
        runner: Reads them in the background.
        settings: Columns, and which view was shown.
        errors: Where failures go.
        shortcuts: For hints.
        mime_for: Makes what is dragged out; `app.drag.mime_for_rows` by default.
        parent: Owner.

    Attributes:
        current_changed: (ResultRow | None)
        selection_changed: Other rows are selected.
        activated: (ResultRow) Enter or a double click.
        play_requested: (ResultRow)
        more_like_this: (Path, Span | None)
        within_requested: (list[int]) search inside these files; an empty list: everywhere again.
        show_all_requested: (bool) weak hits are wanted, or not any more.
        negatives_dropped, filters_dropped: What a suggestion takes out of the question.
        add_folder_requested, samples_requested: From the page of an empty library.
        in_sight_changed: Other rows are in sight; see `visible_ids`.
        view_changed: ("list" or "captions")
        wishes: What shall be done with rows.
    """

    current_changed = Signal(object)
    selection_changed = Signal()
    activated = Signal(object)
    play_requested = Signal(object)
    more_like_this = Signal(object, object)
    within_requested = Signal(object)
    show_all_requested = Signal(bool)
    negatives_dropped = Signal()
    filters_dropped = Signal()
    add_folder_requested = Signal()
    samples_requested = Signal()
    in_sight_changed = Signal()
    view_changed = Signal(str)

    def __init__(
        self,
        library: Library,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        *,
        mime_for: Callable[[list[ResultRow]], QMimeData] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._library = library
        self._runner = runner
        self._settings = settings
        self._shortcuts = shortcuts
        self._mime_for = mime_for or mime_for_rows
        self._title = ""
        self._wish = 0
        self.wishes = ResultActions(self)
        self.head = ResultsHead()
        self.banner = Banner()
        self.page = StatePage()
        self._words = AnswerWords(self, self.banner)
        self.board = ResultsBoard(library, runner, errors)
        self._stack = QStackedWidget()
        self._busy = QTimer(self)
        self._busy.setSingleShot(True)
        self._busy.setInterval(_BUSY_SHOWN_MS)
        self._busy.timeout.connect(lambda: self.head.say(self._title, self.tr("Searching…")))
        self._build()
        self._connect()
        self.board.list.restore_columns(settings.layout.headers.get(_HEADER, ""))
        self.set_view(settings.layout.view)
        self.show_nothing()

    def _build(self) -> None:
        self._stack.addWidget(self.board)
        self._stack.addWidget(self.page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        layout.addWidget(self.banner)
        layout.addWidget(self._stack, 1)

    def _connect(self) -> None:
        board = self.board
        board.current_changed.connect(self.current_changed)
        board.selection_changed.connect(self.selection_changed)
        board.opened.connect(self.activated)
        board.play_wanted.connect(self.play_requested)
        board.rating_wanted.connect(self.wishes.rating_requested)
        board.menu_wanted.connect(self.open_menu)
        board.drag_started.connect(self._drag)
        board.in_sight_changed.connect(self.in_sight_changed)
        board.columns_changed.connect(self._keep_columns)
        self.head.view_chosen.connect(self.set_view)
        self.head.columns_button.clicked.connect(self._open_columns)
        self.head.within_button.clicked.connect(lambda: self.within_requested.emit([]))

    # What is shown.

    def show_answer(self, answer: SearchAnswer) -> None:
        """Show what a search found."""
        self._new_wish()
        self._show_within(answer.within)
        key = (answer.spec, answer.show_all, None if answer.within is None else answer.within.tobytes())
        if answer.listed is not None:
            self._show_listed(answer, key)
            return
        hits, is_weak, title = self._words.say(answer)
        if not hits:
            self._say_nothing(answer)
            return
        ids = np.array([hit.file_id for hit in hits], dtype=np.int64)
        self._show(Content(key, ids, {hit.file_id: hit for hit in hits}, is_weak), title)

    def show_files(
        self,
        ids: IntArray | Sequence[int],
        title: str,
        *,
        empty: str = "",
        key: object = None,
        within: IntArray | None = None,
    ) -> None:
        """Show files that nobody searched for: a folder, a collection, recent ones.

        Args:
            ids: In their order.
            title: What they are.
            empty: What to say if there are none.
            key: Equal for the same list at another time; the title if None.
            within: What the next question is asked of, if not of everything.
        """
        self._new_wish()
        self.banner.hide()
        self._show_within(within)
        files = np.asarray(ids, dtype=np.int64)
        if len(files):
            content = Content(("files", title if key is None else key), files)
            self._show(content, f"{title} · {sounds(len(files))}")
        else:
            is_collection = isinstance(key, tuple) and key[:1] == ("collection",)
            image = "collection" if is_collection else "folder"
            self._say_on_page(title, empty or self.tr("Nothing is in here yet."), icon=image)

    def show_recent(self) -> None:
        """Show what came last into the library, for when nothing is asked."""
        wish = self._new_wish()

        def show(ids: IntArray) -> None:
            if wish == self._wish:
                if len(ids):
                    self.show_files(ids, self.tr("Recently added"))
                else:
                    self.show_empty_library()

        self._runner.call(lambda: self._library.recent(_RECENT), on_result=show, name="recent files")

    def show_empty_library(self) -> None:
        """Say how to begin."""
        self._new_wish()
        self.banner.hide()
        self._show_within(None)
        self._say_on_page(
            self.tr("Your library is empty"),
            self.tr("Add a folder of sounds, or drop one here. Names can be searched at once, sounds soon after."),
            icon="folder-add",
            offers=[
                Offer(self.tr("Add a folder"), self.add_folder_requested.emit),
                Offer(self.tr("Try the sample sounds"), self.samples_requested.emit),
            ],
        )

    def show_nothing(self) -> None:
        """Before anything is known."""
        self._new_wish()
        self._say_on_page(self.tr("Describe a sound"), self.tr("For example: metal gate creaks slowly"))

    def show_failure(self, error: KnownError) -> None:
        """Say why there is no answer; what was listed before stays."""
        self._new_wish()
        self.banner.say(error.message, error.way_out, icon="warning", failed=True)

    def show_busy(self, busy: bool) -> None:
        """Say that an answer is being looked for, if it takes a while."""
        if busy:
            self._busy.start()
        else:
            self._busy.stop()
            self.head.say(self._title, "")

    def set_view(self, view: str) -> None:
        """Show "list" or "captions"; selection and current row are the same in both."""
        self.head.show_view("captions" if view == "captions" else "list")
        self._settings.layout.view = "captions" if view == "captions" else "list"
        self.board.set_view(captions=view == "captions")
        self.view_changed.emit(self.head.view)

    def set_playing(self, file_id: int | None, position_s: float = 0.0) -> None:
        """Mark the row that is played."""
        self.board.model.set_playing(file_id, position_s)

    def reload(self, file_ids: Sequence[int] | None = None) -> None:
        """Files have changed in the catalogue; None: any may have."""
        if file_ids is None:
            self.board.model.renew_all()
        else:
            self.board.model.renew(file_ids)

    # What is chosen.

    @property
    def is_listing(self) -> bool:
        """Whether there are rows, and not a page that says why there are none."""
        return self._stack.currentWidget() is self.board

    def selected(self) -> list[ResultRow]:
        """The selected sounds, from top to bottom."""
        return self.board.results(self.board.list.selected_rows())

    def selected_ids(self) -> list[int]:
        """Ids of the selected files, from top to bottom; made for any number of them."""
        return self.board.selected_ids()

    def current(self) -> ResultRow | None:
        """The sound that the keyboard is at."""
        return self.board.current()

    def current_hit(self) -> Hit | None:
        """What the search said of it."""
        return self.board.current_hit()

    def all_ids(self) -> IntArray:
        """Ids (n,) of everything that is listed, in the order shown."""
        return self.board.model.ids

    def visible_ids(self) -> list[int]:
        """Files that are in sight now."""
        return self.board.visible_ids() if self.is_listing else []

    @property
    def collection_id(self) -> int | None:
        """The collection that is listed, if one is."""
        key = self.board.content.key
        listed = key[1] if isinstance(key, tuple) and key[:1] == ("files",) else None
        return listed[1] if isinstance(listed, tuple) and listed[0] == "collection" else None

    def focus(self) -> None:
        """Go to the rows; the first becomes current if none is."""
        if self.is_listing:
            if not self.board.list.currentIndex().isValid():
                self.board.step(0)
            self.board.view.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def step(self, rows: int) -> None:
        """Go up or down from the current row."""
        self.board.step(rows)

    def go_to(self, file_id: int) -> bool:
        """Make a listed file the current one; returns whether it is listed."""
        row = self.board.model.row_of(file_id) if self.is_listing else None
        if row is None:
            return False
        self.board.view.go_to(row)
        return True

    def sort_by(self, column: Column | None, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; None: the order in which things were found."""
        self.board.sort_by(column, order)

    def request_within(self) -> None:
        """Ask to search inside the selected rows if several are selected, else inside everything listed."""
        chosen = self.selected_ids()
        ids = chosen if len(chosen) > 1 else self.all_ids().tolist()
        if ids:
            self.within_requested.emit(ids)

    def menu(self) -> QMenu | None:
        """The menu of the selected rows, or None without any."""
        board = self.board
        rows, index = board.list.selected_rows(), board.list.currentIndex()
        if not rows:
            return None
        shown = board.model.shown_at(index.row() if index.row() in rows else rows[0])
        tags = sorted(self._library.tags(), key=lambda tag: -tag.files)[:_MENU_TAGS]
        return result_menu(
            Target(len(rows), shown.is_favourite, shown.rating, shown.caption, shown.is_written, self.collection_id),
            self.wishes,
            self._shortcuts,
            collections=[(one.id, one.name) for one in self._library.collections()],
            tags=[tag.name for tag in tags],
            parent=self,
        )

    def open_menu(self, at: QPoint) -> None:
        """Open the menu of the selected rows at a point of the screen."""
        menu = self.menu()
        if menu is not None:
            menu.popup(at)

    # How.

    def _show(self, content: Content, title: str) -> None:
        self._stack.setCurrentWidget(self.board)
        self._set_title(title)
        self.board.show_content(content)

    def _show_listed(self, answer: SearchAnswer, key: object) -> None:
        """Files by name or filter: nothing is known of how they sound."""
        ids = answer.listed if answer.listed is not None else np.empty(0, dtype=np.int64)
        if answer.is_names_only:
            self.banner.say(
                self.tr("Names and captions only, so far."),
                self.tr("The model is being loaded; matches by sound follow in a moment."),
                icon="processor",
            )
        else:
            self.banner.hide()
        if len(ids):
            self._show(Content(key, ids), sounds(len(ids)))
        elif answer.is_names_only:
            self._say_on_page(self.tr("Listening…"), self.tr("No name or caption holds these words."))
        else:
            self._say_nothing(answer)

    def _say_nothing(self, answer: SearchAnswer) -> None:
        """Nothing is there to be listed, not even something weak."""
        self.banner.hide()
        words = self._words.of_nothing(answer)
        self._say_on_page(words.title, words.text, offers=words.offers)

    def _say_on_page(self, title: str, text: str, *, icon: str = "search", offers: Sequence[Offer] = ()) -> None:
        self.page.say(title, text, icon=icon, offers=offers)
        self._stack.setCurrentWidget(self.page)
        self._set_title("")
        self.board.show_content(Content())

    def _show_within(self, within: IntArray | None) -> None:
        text = "" if within is None else self.tr("Inside {sounds}").format(sounds=sounds(len(within)))
        self.head.show_within(text)

    def _set_title(self, title: str) -> None:
        self._title = title
        self.head.say(title, "")

    def _new_wish(self) -> int:
        """Something else is to be shown: what was asked for before must not come in between."""
        self._busy.stop()
        self._wish += 1
        return self._wish

    def _open_columns(self) -> None:
        button = self.head.columns_button
        self.board.list.column_menu().popup(button.mapToGlobal(QPoint(0, button.height())))

    def _keep_columns(self) -> None:
        self._settings.layout.headers = {
            **self._settings.layout.headers,
            _HEADER: self.board.list.save_columns(),
        }

    def _drag(self) -> None:
        rows = self.selected()
        if rows:
            drag = QDrag(self.board.view)
            drag.setMimeData(self._mime_for(rows))
            drag.exec(Qt.DropAction.CopyAction, Qt.DropAction.CopyAction)
