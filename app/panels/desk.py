"""The desk: all panels in their places, and who tells whom."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.drag import examples_of, mime_for_rows
from app.file_action import FileActions
from app.jobs.indexing import IndexController
from app.jobs.model import ModelLoader, ModelState
from app.panels.export import ExportDialog
from app.panels.indexing import IndexingPanel
from app.panels.inspector import InspectorPanel
from app.panels.library import LibraryPanel
from app.panels.player import PlayerPanel
from app.panels.record import RecordDialog
from app.panels.results import ResultsPanel
from app.panels.search import SearchPanel
from app.panels.sidebar_content import LibraryContent
from app.panels.status import StatusLine
from app.panels.welcome import WelcomePage
from app.search import SearchAnswer, SearchController
from app.theme import GRID
from core.audio.device import OutputChoice
from core.audio.render import ExportItem
from core.config import RESOURCES
from core.search.query import QuerySpec
from core.types import IntArray, Span

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.models.row import ResultRow, ShownRow
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.library import DeskRow, Library

SAMPLES = RESOURCES / "samples"
_COLUMNS = (240, 760, 300)
_ROWS = (560, 168)
# The model is loaded when the first lists stand, so that importing torch does not hold them up.
_LOAD_AFTER_MS = 400
_VISIBLE_MS = 500
_NEIGHBOURS = 3
_WHOLE = 0.95

_log = logging.getLogger(__name__)


class Desk(QWidget):
    """Everything of the window that needs an open library.

    Attributes:
        preferences_requested: The preferences shall be shown, at a page.
        log_requested: The log shall be shown.
    """

    preferences_requested = Signal(str)
    log_requested = Signal()

    def __init__(
        self,
        *,
        library: Library,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("desk")
        self.library, self._runner, self._settings = library, runner, settings
        self._errors, self._shortcuts = errors, shortcuts
        self.controller = IndexController(library=library, runner=runner, settings=settings, errors=errors, parent=self)
        self.model = ModelLoader(library=library, runner=runner, errors=errors, parent=self)
        self.search = SearchController(library, runner, errors, parent=self)
        self.search_panel = SearchPanel(library, runner, settings, errors, shortcuts, examples_of=examples_of)
        self.library_panel = LibraryPanel(
            library=library,
            controller=self.controller,
            runner=runner,
            settings=settings,
            errors=errors,
            shortcuts=shortcuts,
        )
        self.results = ResultsPanel(library, runner, settings, errors, shortcuts, mime_for=mime_for_rows)
        self.inspector = InspectorPanel(library, runner, settings, errors, shortcuts)
        self.player = PlayerPanel(runner=runner, settings=settings, errors=errors, shortcuts=shortcuts)
        self.status = StatusLine(controller=self.controller, model=self.model, errors=errors, shortcuts=shortcuts)
        self.welcome = WelcomePage(samples=SAMPLES)
        self.file_actions = FileActions(library=library, runner=runner, errors=errors, parent=self)
        self.indexing = IndexingPanel(library=library, runner=runner, controller=self.controller, parent=self)
        self._within: list[int] | None = None
        self._shown: Callable[[], None] | None = None
        self._answer: SearchAnswer | None = None
        self._current: ResultRow | None = None
        self._build()
        self._connect()
        self._bind_shortcuts()

    # Life.

    def begin(self) -> None:
        """Read the library, look at its folders, load the model."""
        self.library_panel.reload()
        self.search_panel.focus()
        if self._settings.indexing.index_at_start:
            self.controller.rescan()
        else:
            self.controller.go_on()
        self.controller.watch()
        QTimer.singleShot(_LOAD_AFTER_MS, self.model, self.model.load)

    def close_down(self) -> None:
        """Stop what is going on; the runner's shutdown then waits for it."""
        self._visible.stop()
        self.controller.close()
        self.player.close_down()
        self.indexing.close()

    def keep_layout(self) -> None:
        """Write the places of the splitters into the settings."""
        for splitter in (self.columns, self.rows):
            self._settings.layout.splitters[splitter.objectName()] = splitter.sizes()

    # What the window asks.

    def add_folders(self, folders: Sequence[Path]) -> None:
        """Make folders part of the library and index them."""
        self.controller.add(folders)

    def search_by_files(self, paths: Sequence[Path]) -> None:
        """Search by sounds that were dropped."""
        for path in paths:
            self.search_panel.add_clip(path)

    def show_indexing(self) -> None:
        """Show stages and skipped files."""
        self.indexing.show()
        self.indexing.raise_()
        self.indexing.activateWindow()

    def show_recorder(self) -> None:
        """Record an example from the microphone."""
        dialog = RecordDialog(runner=self._runner, settings=self._settings, errors=self._errors, parent=self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.recorded.connect(self.search_panel.add_clip)
        dialog.open()
        dialog.start()

    def follow_audio_settings(self) -> None:
        """Another output was chosen in the preferences."""
        device = self._settings.audio.output_device or ""
        controller = self.player.controller
        if controller.output.device != device:
            controller.set_output(OutputChoice(device))
        controller.set_skips_silence(self._settings.audio.skip_silence)

    def follow_indexing_settings(self) -> None:
        """Watching or captioning was switched on or off."""
        self.controller.watch()
        self.controller.go_on()

    def toggle_region(self, name: str) -> None:
        """Show or hide the sidebar or the inspector."""
        panel = {"library": self.library_panel, "inspector": self.inspector}[name]
        panel.setVisible(panel.isHidden())
        self._settings.layout.choices[f"desk.{name}"] = not panel.isHidden()

    def focus_region(self, step: int) -> None:
        """Move the focus to the next region, or the one before."""
        regions = [self.search_panel, self.library_panel, self.results, self.inspector, self.player, self.status]
        regions = [region for region in regions if region.isVisible()]
        focus = self.focusWidget()
        now = next((n for n, region in enumerate(regions) if focus is not None and region.isAncestorOf(focus)), -1)
        target = regions[(now + step) % len(regions)]
        if target is self.search_panel:
            self.search_panel.focus()
        elif target is self.results:
            self.results.focus()
        elif target is self.library_panel:
            self.library_panel.tree.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            first = next(
                (
                    child
                    for child in target.findChildren(QWidget)
                    if child.isVisible() and child.isEnabled() and child.focusPolicy() & Qt.FocusPolicy.TabFocus
                ),
                None,
            )
            if first is not None:
                first.setFocus(Qt.FocusReason.TabFocusReason)

    # How it is put together.

    def _build(self) -> None:
        self._middle = QStackedWidget()
        self._middle.addWidget(self.results)
        self._middle.addWidget(self.welcome)
        self.columns = QSplitter(Qt.Orientation.Horizontal)
        self.columns.setObjectName("desk.columns")
        for widget in (self.library_panel, self._middle, self.inspector):
            self.columns.addWidget(widget)
        self.rows = QSplitter(Qt.Orientation.Vertical)
        self.rows.setObjectName("desk.rows")
        self.rows.addWidget(self.columns)
        self.rows.addWidget(self.player)
        for splitter, sizes, stretched in ((self.columns, _COLUMNS, 1), (self.rows, _ROWS, 0)):
            splitter.setHandleWidth(GRID)
            splitter.setChildrenCollapsible(False)
            for place in range(splitter.count()):
                splitter.setStretchFactor(place, 1 if place == stretched else 0)
            kept = self._settings.layout.splitters.get(splitter.objectName(), [])
            splitter.setSizes(kept if len(kept) == splitter.count() else list(sizes))
        for name, panel in (("library", self.library_panel), ("inspector", self.inspector)):
            panel.setVisible(bool(self._settings.layout.choices.get(f"desk.{name}", True)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.search_panel)
        layout.addWidget(self.rows, 1)
        layout.addWidget(self.status)
        self._visible = QTimer(self)
        self._visible.setSingleShot(True)
        self._visible.setInterval(_VISIBLE_MS)
        self._visible.timeout.connect(lambda: self.controller.set_visible(self.results.visible_ids()))

    def _connect(self) -> None:
        self._connect_search()
        self._connect_library()
        self._connect_results()
        self._connect_player()
        self.status.indexing_requested.connect(self.show_indexing)
        self.status.log_requested.connect(self.log_requested)
        self.status.model_requested.connect(lambda: self.preferences_requested.emit("search"))

    def _connect_search(self) -> None:
        panel, search = self.search_panel, self.search
        panel.query_changed.connect(lambda spec: self._ask(spec))
        panel.submitted.connect(lambda spec: self._ask(spec, now=True))
        panel.results_wanted.connect(self.results.focus)
        panel.saved.connect(self.library_panel.reload)
        search.answered.connect(self._on_answered)
        search.failed.connect(self.results.show_failure)
        search.busy_changed.connect(self.results.show_busy)
        search.emptied.connect(self._on_emptied)
        self.model.changed.connect(self._on_model_changed)

    def _connect_library(self) -> None:
        panel, controller = self.library_panel, self.controller
        panel.content_changed.connect(self._on_content)
        panel.all_selected.connect(lambda: self._list(self.tr("All sounds")))
        panel.recent_selected.connect(lambda: self._show(self.results.show_recent))
        panel.favourites_selected.connect(lambda: self._list(self.tr("Favourites"), "favourite:yes"))
        panel.folder_selected.connect(lambda path: self._list(path.name or str(path), _folder_filter(path)))
        panel.ucs_selected.connect(lambda value, title: self._list(title, f'ucs:"{value}"'))
        panel.collection_selected.connect(self._list_collection)
        panel.saved_selected.connect(lambda spec: panel_set_spec(self.search_panel, spec))
        panel.search_in_folder_requested.connect(self._search_in_folder)
        panel.add_folder_requested.connect(self.add_folders)
        panel.skipped_requested.connect(self.show_indexing)
        panel.files_changed.connect(self._on_files_changed)
        self.welcome.add_requested.connect(panel.choose_folder)
        self.welcome.folders_dropped.connect(self.add_folders)
        self.welcome.samples_requested.connect(lambda: self.add_folders([SAMPLES]))
        controller.grew.connect(self._on_grown)

    def _connect_results(self) -> None:
        results, actions = self.results, self.file_actions
        results.current_changed.connect(self._on_current_changed)
        results.activated.connect(lambda row: self._play(row))
        results.play_requested.connect(lambda row: self._play(row))
        results.more_like_this.connect(self._more_like_this)
        results.within_requested.connect(self._search_within)
        results.show_all_requested.connect(
            lambda show_all: self._ask(self.search_panel.spec(), show_all=show_all, now=True)
        )
        results.in_sight_changed.connect(self._visible.start)
        results.add_folder_requested.connect(self.library_panel.choose_folder)
        results.samples_requested.connect(lambda: self.add_folders([SAMPLES]))
        actions.connect_results(results)
        actions.files_changed.connect(self._on_files_changed)
        actions.collections_changed.connect(self.library_panel.reload)
        actions.collection_wanted.connect(self.library_panel.create_collection)
        results.negatives_dropped.connect(self.search_panel.drop_negatives)
        results.filters_dropped.connect(self.search_panel.drop_filters)
        results.caption_edit_requested.connect(lambda _row: self._edit_caption())
        inspector = self.inspector
        inspector.edited.connect(self._on_files_changed)
        inspector.more_like_this.connect(self._more_like_this)
        inspector.similar_activated.connect(lambda path: self.player.open(path, None, play=True))
        inspector.moment_activated.connect(lambda path, span: self.player.open(path, span, play=True))

    def _connect_player(self) -> None:
        self.player.search_by_region.connect(self._more_like_this)
        self.player.moved.connect(self._on_played)
        self.player.export_requested.connect(lambda path, span: self._export([(path, span)]))
        self.results.export_requested.connect(lambda rows: self._export([(row.path, None) for row in rows]))
        self.search_panel.record_requested.connect(self.show_recorder)

    def _bind_shortcuts(self) -> None:
        """What concerns more than one panel; the player binds its own."""
        panel, results = self.search_panel, self.results
        for action, do in (
            ("search.focus", panel.focus),
            ("search.clear", panel.clear),
            ("search.back", panel.go_back),
            ("search.forward", panel.go_forward),
            ("search.save", panel.open_save),
            ("search.record", panel.record_requested.emit),
            ("search.more_like_this", self._more_like_current),
            ("search.within", results.request_within),
            ("search.show_all", lambda: self._ask(panel.spec(), show_all=True, now=True)),
            ("filters.toggle", panel.toggle_filters),
            ("results.focus", results.focus),
            ("view.list", lambda: results.set_view("list")),
            ("view.captions", lambda: results.set_view("captions")),
            ("copy.path", lambda: self.file_actions.copy_files(results.selected())),
            ("copy.caption", self._copy_caption),
            ("export", lambda: self._export([(row.path, None) for row in results.selected()])),
            ("reveal", lambda: self._with_current(lambda row: self.file_actions.reveal(row.path))),
            ("favourite.toggle", self._toggle_favourite),
            ("tag.add", lambda: self.file_actions.add_tag(results.selected_ids(), "")),
            ("collection.add", self._choose_collection),
            ("caption.edit", self._edit_caption),
            *((f"rating.{stars}", self._rate(stars)) for stars in range(6)),
        ):
            self._shortcuts.bind(self, action, do)

    def _rate(self, stars: int) -> Callable[[], None]:
        return lambda: self.file_actions.set_rating(self.results.selected_ids(), stars)

    # What happens.

    def _ask(self, spec: QuerySpec, *, now: bool = False, show_all: bool = False) -> None:
        self.search.ask(spec, within=self._within, now=now, show_all=show_all)

    def _on_answered(self, answer: SearchAnswer) -> None:
        self._answer = answer
        self._shown = None
        self.library_panel.clear_selection()
        self.results.show_answer(answer)

    def _on_emptied(self) -> None:
        self._answer = None
        if self._shown is None:
            self._show(self.results.show_recent)

    def _show(self, do: Callable[[], None]) -> None:
        """Show something that is no answer, now and whenever the library grows."""
        self._answer = None
        self._shown = do
        do()

    def _list(self, title: str, *conditions: str) -> None:
        def show() -> None:
            self._runner.call(
                lambda: self.library.list_files(*conditions),
                on_result=lambda ids: self._show_files(show, ids, title),
                name="list files",
            )

        self._show(show)

    def _list_collection(self, collection_id: int, title: str) -> None:
        def show() -> None:
            self._runner.call(
                lambda: self.library.collection_files(collection_id),
                on_result=lambda ids: self._show_files(show, ids, title),
                name="list a collection",
            )

        self._show(show)

    def _show_files(self, asked: Callable[[], None], ids: IntArray, title: str) -> None:
        if self._shown is asked:
            self.results.show_files(ids, title)

    def _search_in_folder(self, path: Path) -> None:
        spec = self.search_panel.spec()
        where = tuple(one for one in spec.where if not one.startswith("folder"))
        panel_set_spec(self.search_panel, _with_where(spec, (*where, _folder_filter(path))))
        self.search_panel.focus()

    def _search_within(self, ids: list[int]) -> None:
        self._within = list(ids) or None
        self._ask(self.search_panel.spec(), now=True)
        self.search_panel.focus()

    def _more_like_this(self, path: Path, span: Span | None) -> None:
        self.search_panel.add_clip(path, span)

    def _more_like_current(self) -> None:
        self._with_current(lambda row: self._more_like_this(row.path, row.span))

    def _with_current(self, do: Callable[[ResultRow], object]) -> None:
        row = self.results.current()
        if row is not None:
            do(row)

    def _shown_row(self) -> ShownRow | None:
        """What the current row shows."""
        index = self.results.board.list.currentIndex()
        return self.results.board.model.shown_at(index.row()) if index.isValid() else None

    def _neighbours(self) -> list[ResultRow]:
        """The rows that may be played next, nearest first."""
        board = self.results.board
        now = board.list.currentIndex().row()
        rows = [row for step in range(1, _NEIGHBOURS + 1) for row in (now + step, now - step)]
        return [found for row in rows if 0 <= row < board.model.rowCount() for found in board.results([row])]

    def _toggle_favourite(self) -> None:
        shown = self._shown_row()
        if shown is not None:
            self.file_actions.set_favourite(self.results.selected_ids(), not shown.is_favourite)

    def _copy_caption(self) -> None:
        shown = self._shown_row()
        if shown is not None and shown.caption:
            self.file_actions.copy_text(shown.caption)

    def _choose_collection(self) -> None:
        ids = self.results.selected_ids()
        if not ids:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for collection in self.library_panel.content.collections:
            entry = menu.addAction(collection.name.replace("&", "&&"))
            entry.triggered.connect(lambda _=False, key=collection.id: self.file_actions.add_to_collection(ids, key))
        menu.addAction(self.tr("New collection")).triggered.connect(
            lambda _=False: self.file_actions.add_to_collection(ids, 0)
        )
        menu.popup(self.results.mapToGlobal(self.results.rect().center()))

    def _export(self, sounds: Sequence[tuple[Path, Span | None]]) -> None:
        """Ask how files or regions are to be exported."""
        if not sounds:
            return
        ids = {row.path: row.file_id for row in self.results.selected()}

        def gather() -> list[ExportItem]:
            known = self.library.rows(list(ids.values()))
            return [ExportItem(path, span, _name_fields(known.get(ids.get(path, -1)))) for path, span in sounds]

        def ask(items: list[ExportItem]) -> None:
            dialog = ExportDialog(items, runner=self._runner, settings=self._settings, errors=self._errors, parent=self)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

        self._runner.call(gather, on_result=ask, name="prepare an export")

    def _on_current_changed(self, row: ResultRow | None) -> None:
        spec = self._answer.spec if self._answer is not None else None
        self._current = row
        self.inspector.show_row(row, spec, self.results.current_hit())
        if row is not None:
            self._open(row, play=self._settings.audio.auto_audition and self._may_audition())

    def _open(self, row: ResultRow, *, play: bool) -> None:
        self._current = row
        hit = self.results.current_hit()
        span, moments = row.span, () if hit is None else tuple(moment.span for moment in hit.moments)
        if row.duration_s and any(moment.duration_s > _WHOLE * row.duration_s for moment in moments):
            moments, span = (), None  # all of a short sound is no moment of it
        self.player.open(row.path, span, play=play, moments=moments, duration_s=row.duration_s)
        self.player.prepare([(near.path, near.span) for near in self._neighbours()])

    def _on_played(self, path: Path | None, position_s: float) -> None:
        is_here = path is not None and self._current is not None and self._current.path == path
        self.results.set_playing(self._current.file_id if is_here and self._current else None, position_s)

    def _may_audition(self) -> bool:
        """Only what the user goes through is heard, not what a refreshed list happens to stand at."""
        return self.results.isAncestorOf(self.focusWidget()) if self.focusWidget() is not None else False

    def _edit_caption(self) -> None:
        self.inspector.show()
        self.inspector.edit_caption()

    def _play(self, row: ResultRow) -> None:
        self._open(row, play=True)

    def _on_content(self, content: LibraryContent) -> None:
        self.status.show_content(content)
        self.indexing.show_content(content)
        is_empty = content.is_empty
        self._middle.setCurrentWidget(self.welcome if is_empty else self.results)
        self.player.setVisible(not is_empty)
        if is_empty:
            self.inspector.hide()
        elif self._settings.layout.choices.get("desk.inspector", True):
            self.inspector.show()
        if not is_empty and self._answer is None and self._shown is None:
            self._on_emptied()

    def _on_grown(self) -> None:
        if self._answer is not None:
            self.search.refresh()
        elif self._shown is not None:
            self._shown()
        self.results.reload()

    def _on_files_changed(self, ids: list[int]) -> None:
        self.results.reload(ids)
        self.library_panel.reload()

    def _on_model_changed(self) -> None:
        if self.model.state is ModelState.READY:
            self.search.warm_up()
            # What the window and the model consist of lives on; looking through all of it now and then would take
            # 50 to 100 ms of the main thread each time, in the midst of scrolling.
            gc.freeze()


def panel_set_spec(panel: SearchPanel, spec: QuerySpec) -> None:
    """Ask a question that comes from elsewhere; it becomes a step of the history."""
    panel.set_spec(spec, remember=True)


def _name_fields(row: DeskRow | None) -> dict[str, str]:
    """What the names of exported files may be made of."""
    if row is None:
        return {}
    return {
        "folder": Path(row.folder).name,
        "category": row.category,
        "caption": row.caption.shown if row.caption is not None else "",
        "rate": "" if row.sample_rate_hz is None else f"{row.sample_rate_hz / 1000:g}k",
        "channels": "" if row.channels is None else str(row.channels),
    }


def _folder_filter(path: Path) -> str:
    return f'folder:"{path}/*"'


def _with_where(spec: QuerySpec, where: tuple[str, ...]) -> QuerySpec:
    import dataclasses

    return dataclasses.replace(spec, where=where)
