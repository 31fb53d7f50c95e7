"""What keys and menus do with the selected sounds; the player binds its own keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QMenu, QWidget

from app.panels.export import ExportDialog
from core.audio.render import ExportItem
from core.types import Span

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.models.row import ShownRow
    from app.panels.desk import Desk
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.library import DeskRow


class DeskActions(QObject):
    """Everything of the desk that a key can ask for.

    Args:
        desk: Its panels are asked what is selected.
        runner: Gathers what an export needs.
        settings: For dialogs.
        errors: For dialogs.
    """

    def __init__(self, desk: Desk, *, runner: JobRunner, settings: Settings, errors: ErrorCentre) -> None:
        super().__init__(desk)
        self._desk, self._runner, self._settings, self._errors = desk, runner, settings, errors

    def bind(self, shortcuts: ShortcutMap) -> None:
        """Bind what concerns more than one panel."""
        desk = self._desk
        panel, results, actions = desk.search_panel, desk.results, desk.file_actions
        bindings: tuple[tuple[str, Callable[[], object]], ...] = (
            ("search.focus", panel.focus),
            ("search.clear", panel.clear),
            ("search.back", panel.go_back),
            ("search.forward", panel.go_forward),
            ("search.save", panel.open_save),
            ("search.record", panel.record_requested.emit),
            ("search.more_like_this", self.more_like_current),
            ("search.within", results.request_within),
            ("search.show_all", desk.listing.show_all),
            ("filters.toggle", panel.toggle_filters),
            ("results.focus", results.focus),
            ("view.list", lambda: results.set_view("list")),
            ("view.captions", lambda: results.set_view("captions")),
            ("copy.path", lambda: actions.copy_files(results.selected())),
            ("copy.caption", self.copy_caption),
            ("export", self.export_selected),
            ("reveal", self.reveal_current),
            ("favourite.toggle", self.toggle_favourite),
            ("tag.add", lambda: actions.add_tag(results.selected_ids(), "")),
            ("collection.add", self.choose_collection),
            ("caption.edit", self.edit_caption),
            *((f"rating.{stars}", lambda stars=stars: self.rate(stars)) for stars in range(6)),
        )
        for action, do in bindings:
            shortcuts.bind(desk, action, do)

    def rate(self, stars: int) -> None:
        """Give the selected sounds stars."""
        self._desk.file_actions.set_rating(self._desk.results.selected_ids(), stars)

    def more_like_current(self) -> None:
        """Search by the current sound."""
        row = self._desk.results.current()
        if row is not None:
            self._desk.search_panel.add_clip(row.path, row.span)

    def reveal_current(self) -> None:
        """Show the current sound in the file manager."""
        row = self._desk.results.current()
        if row is not None:
            self._desk.file_actions.reveal(row.path)

    def toggle_favourite(self) -> None:
        """Make the selected sounds favourites, or plain ones if the current one is a favourite."""
        shown = self._shown_row()
        if shown is not None:
            self._desk.file_actions.set_favourite(self._desk.results.selected_ids(), not shown.is_favourite)

    def copy_caption(self) -> None:
        """Put the current sound's caption on the clipboard."""
        shown = self._shown_row()
        if shown is not None and shown.caption:
            self._desk.file_actions.copy_text(shown.caption)

    def edit_caption(self) -> None:
        """Edit the current sound's caption."""
        self._desk.inspector.show()
        self._desk.inspector.edit_caption()

    def export_selected(self) -> None:
        """Ask how the selected sounds are to be exported."""
        self.export([(row.path, None) for row in self._desk.results.selected()])

    def choose_collection(self) -> None:
        """Ask which collection the selected sounds are put in."""
        ids = self._desk.results.selected_ids()
        if not ids:
            return
        menu = QMenu(self._desk)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for collection in self._desk.library_panel.content.collections:
            entry = menu.addAction(collection.name.replace("&", "&&"))
            entry.triggered.connect(
                lambda _=False, key=collection.id: self._desk.file_actions.add_to_collection(ids, key)
            )
        menu.addAction(self.tr("New collection")).triggered.connect(
            lambda _=False: self._desk.file_actions.add_to_collection(ids, 0)
        )
        menu.popup(self._desk.results.mapToGlobal(self._desk.results.rect().center()))

    def export(self, sounds: Sequence[tuple[Path, Span | None]]) -> None:
        """Ask how files or regions are to be exported."""
        if not sounds:
            return
        ids = {row.path: row.file_id for row in self._desk.results.selected()}

        def gather() -> list[ExportItem]:
            known = self._desk.library.rows(list(ids.values()))
            return [ExportItem(path, span, _name_fields(known.get(ids.get(path, -1)))) for path, span in sounds]

        def ask(items: list[ExportItem]) -> None:
            dialog = ExportDialog(
                items, runner=self._runner, settings=self._settings, errors=self._errors, parent=self._desk
            )
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

        self._runner.call(gather, on_result=ask, name="prepare an export")

    def focus_region(self, step: int) -> None:
        """Move the focus to the next region, or the one before."""
        desk = self._desk
        regions = [desk.search_panel, desk.library_panel, desk.results, desk.inspector, desk.player, desk.status]
        regions = [region for region in regions if region.isVisible()]
        focus = desk.focusWidget()
        now = next((n for n, region in enumerate(regions) if focus is not None and region.isAncestorOf(focus)), -1)
        target = regions[(now + step) % len(regions)]
        if target is desk.search_panel:
            desk.search_panel.focus()
        elif target is desk.results:
            desk.results.focus()
        elif target is desk.library_panel:
            desk.library_panel.tree.setFocus(Qt.FocusReason.ShortcutFocusReason)
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

    def _shown_row(self) -> ShownRow | None:
        """What the current row shows."""
        index = self._desk.results.board.list.currentIndex()
        return self._desk.results.board.model.shown_at(index.row()) if index.isValid() else None


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
