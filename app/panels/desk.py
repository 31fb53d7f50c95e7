"""The desk: all panels in their places, and who tells whom."""

from __future__ import annotations

import dataclasses
import gc
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.drag import examples_of, mime_for_rows
from app.file_action import FileActions
from app.jobs.indexing import IndexController
from app.jobs.model import ModelLoader, ModelState
from app.panels.audition import Audition
from app.panels.desk_action import DeskActions
from app.panels.indexing import IndexingPanel
from app.panels.inspector import InspectorPanel
from app.panels.library import LibraryPanel
from app.panels.listing import Listing
from app.panels.player import PlayerPanel
from app.panels.record import RecordDialog
from app.panels.results import ResultsPanel
from app.panels.search import SearchPanel
from app.panels.sidebar_content import LibraryContent
from app.panels.status import StatusLine
from app.panels.welcome import WelcomePage
from app.search import SearchController
from app.theme import GRID
from core.audio.device import OutputChoice
from core.config import RESOURCES
from core.search.query import QuerySpec
from core.types import Span

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.models.row import ResultRow
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.library import Library

SAMPLES = RESOURCES / "samples"
_COLUMNS = (240, 760, 300)
_ROWS = (560, 168)
# The model is loaded when the first lists stand, so that importing torch does not hold them up.
_LOAD_AFTER_MS = 400
_VISIBLE_MS = 500
_MOST_REMEMBERED = 10_000

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
        self.listing = Listing(
            library=library,
            runner=runner,
            search=self.search,
            panel=self.search_panel,
            results=self.results,
            parent=self,
        )
        self.audition = Audition(results=self.results, player=self.player, settings=settings, parent=self)
        self.commands = DeskActions(self, runner=runner, settings=settings, errors=errors)
        self._build()
        self._connect()
        self.commands.bind(shortcuts)

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
        self.search.close()
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
        dialog = RecordDialog(
            runner=self._runner,
            settings=self._settings,
            errors=self._errors,
            referred=lambda: remembered_clips(self.library),
            parent=self,
        )
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
        panel = self.search_panel
        panel.results_wanted.connect(self.results.focus)
        panel.saved.connect(self.library_panel.reload)
        panel.record_requested.connect(self.show_recorder)
        self.listing.answered.connect(self.library_panel.clear_selection)
        self.model.changed.connect(self._on_model_changed)

    def _connect_library(self) -> None:
        panel, controller = self.library_panel, self.controller
        panel.content_changed.connect(self._on_content)
        listing = self.listing
        panel.all_selected.connect(listing.show_all_sounds)
        panel.recent_selected.connect(listing.show_recent)
        panel.favourites_selected.connect(listing.show_favourites)
        panel.folder_selected.connect(listing.show_folder)
        panel.ucs_selected.connect(lambda value, title: listing.show_matching(title, f'ucs:"{value}"'))
        panel.collection_selected.connect(listing.show_collection)
        panel.saved_selected.connect(lambda spec: self.search_panel.set_spec(spec, remember=True))
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
        results.activated.connect(self.audition.play)
        results.play_requested.connect(self.audition.play)
        results.more_like_this.connect(self._more_like_this)
        results.in_sight_changed.connect(self._visible.start)
        results.add_folder_requested.connect(self.library_panel.choose_folder)
        results.samples_requested.connect(lambda: self.add_folders([SAMPLES]))
        actions.carry_out(results.wishes)
        actions.files_changed.connect(self._on_files_changed)
        actions.collections_changed.connect(self._on_collections_changed)
        actions.collection_wanted.connect(self.library_panel.create_collection)
        results.negatives_dropped.connect(self.search_panel.drop_negatives)
        results.filters_dropped.connect(self.search_panel.drop_filters)
        results.wishes.caption_edit_requested.connect(lambda _row: self.commands.edit_caption())
        inspector = self.inspector
        inspector.edited.connect(self._on_edited)
        inspector.more_like_this.connect(self._more_like_this)
        inspector.similar_activated.connect(self.audition.hear_other)
        inspector.focused.connect(self.audition.sharpen)
        inspector.moment_activated.connect(lambda path, span: self.player.open(path, span, play=True))

    def _connect_player(self) -> None:
        commands = self.commands
        self.player.search_by_region.connect(self._more_like_this)
        self.player.moved.connect(self.audition.follow)
        self.player.export_requested.connect(lambda path, span: commands.export([(path, span)]))
        self.results.wishes.export_requested.connect(lambda rows: commands.export([(row.path, None) for row in rows]))

    # What happens.

    def _search_in_folder(self, path: Path) -> None:
        spec = self.search_panel.spec()
        where = tuple(one for one in spec.where if not one.startswith("folder"))
        asked = dataclasses.replace(spec, where=(*where, f'folder:"{path}/*"'))
        self.search_panel.set_spec(asked, remember=True)
        self.search_panel.focus()

    def _more_like_this(self, path: Path, span: Span | None) -> None:
        self.search_panel.add_clip(path, span)

    def _on_current_changed(self, row: ResultRow | None) -> None:
        self.inspector.show_row(row, self.listing.question, self.results.current_hit())
        self.audition.go_to(row)

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
        if not is_empty and self.listing.is_empty:
            self.listing.show_recent()

    def _on_collections_changed(self) -> None:
        self.library_panel.reload()
        if self.results.collection_id is not None or not self.results.is_listing:
            self.listing.show_again()

    def _on_grown(self) -> None:
        self.model.follow()
        self.listing.show_again()
        self.results.reload()
        self.inspector.reload()

    def _on_files_changed(self, ids: list[int]) -> None:
        self._on_edited(ids)
        self.inspector.reload(ids)

    def _on_edited(self, ids: list[int]) -> None:
        """The inspector shows already what was changed in it."""
        self.results.reload(ids)
        self.library_panel.reload()

    def _on_model_changed(self) -> None:
        if self.model.state is ModelState.READY:
            self.search.warm_up()
            # What the window and the model consist of lives on; looking through all of it now and then would take
            # 50 to 100 ms of the main thread each time, in the midst of scrolling.
            gc.freeze()


def remembered_clips(library: Library) -> set[Path]:
    """The example clips of all questions in the history and of the saved ones."""
    questions = [*library.history(_MOST_REMEMBERED), *(saved.query_json for saved in library.saved_searches())]
    return {clip.path for question in questions for clip in QuerySpec.from_json(question).clips}
