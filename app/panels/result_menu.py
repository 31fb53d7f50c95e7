"""What can be done with the selected sounds, as a menu; whoever opened it carries things out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.shortcut import ShortcutMap
from app.theme import icon

if TYPE_CHECKING:
    from app.models.row import ResultRow
    from app.panels.results import ResultsPanel

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class Target:
    """What the menu is about.

    Attributes:
        count: Selected sounds.
        is_favourite: Whether the current one is a favourite.
        rating: Of the current one.
        caption: Of the current one.
        is_written: Whether a person wrote it.
        collection_id: The collection that is listed, or None.
    """

    count: int
    is_favourite: bool
    rating: int
    caption: str
    is_written: bool
    collection_id: int | None = None


class ResultActions(QObject):
    """Tells whoever can do it what shall be done with rows of the results.

    Args:
        panel: Whose rows are meant.

    Attributes:
        favourite_requested, rating_requested, tag_requested, collection_requested: (list[int], value); an empty tag
            and collection 0 mean: ask for its name.
        collection_left: (list[int], int) these files shall be taken out of the listed collection.
        copy_path_requested, export_requested: (list[ResultRow])
        reveal_requested, caption_edit_requested: (ResultRow)
        caption_regenerate_requested, caption_restore_requested: (list[int])
        caption_copy_requested: (str)
    """

    favourite_requested = Signal(object, bool)
    rating_requested = Signal(object, int)
    tag_requested = Signal(object, str)
    collection_requested = Signal(object, int)
    collection_left = Signal(object, int)
    copy_path_requested = Signal(object)
    export_requested = Signal(object)
    reveal_requested = Signal(object)
    caption_edit_requested = Signal(object)
    caption_regenerate_requested = Signal(object)
    caption_restore_requested = Signal(object)
    caption_copy_requested = Signal(str)

    def __init__(self, panel: ResultsPanel) -> None:
        super().__init__(panel)
        self._panel = panel

    def choose(self, action: str, value: object) -> None:
        """Carry out an action.

        Args:
            action: "play", "similar", "within", "favourite", "rate", "tag", "collection", "leave", "copy-path",
                "reveal", "export", "edit-caption", "regenerate-caption", "restore-caption" or "copy-caption".
            value: bool for a favourite, int for a rating or a collection (0: a new one), str for a tag (empty: ask).
        """
        panel = self._panel
        rows, ids = panel.selected(), panel.selected_ids()
        current = panel.current() or (rows[0] if rows else None)
        if current is None:
            return
        match action:
            case "play":
                panel.play_requested.emit(current)
            case "similar":
                panel.more_like_this.emit(current.path, current.span)
            case "within":
                panel.request_within()
            case "favourite":
                self.favourite_requested.emit(ids, bool(value))
            case "rate" if isinstance(value, int):
                self.rating_requested.emit(ids, value)
            case "tag":
                self.tag_requested.emit(ids, str(value))
            case "collection" if isinstance(value, int):
                self.collection_requested.emit(ids, value)
            case "leave" if isinstance(value, int):
                self.collection_left.emit(ids, value)
            case "copy-path":
                self.copy_path_requested.emit(rows)
            case "reveal":
                self.reveal_requested.emit(current)
            case "export":
                self.export_requested.emit(rows)
            case _:
                self._do_with_caption(action, current, ids)

    def _do_with_caption(self, action: str, current: ResultRow, ids: list[int]) -> None:
        panel = self._panel
        match action:
            case "edit-caption":
                self.caption_edit_requested.emit(current)
            case "regenerate-caption":
                self.caption_regenerate_requested.emit(ids)
            case "restore-caption":
                self.caption_restore_requested.emit(ids)
            case "copy-caption":
                row = panel.board.model.row_of(current.file_id)
                if row is not None:
                    self.caption_copy_requested.emit(panel.board.model.shown_at(row).caption)
            case _:
                raise ValueError(f"no such action: {action}")


def result_menu(
    target: Target,
    actions: ResultActions,
    shortcuts: ShortcutMap,
    *,
    collections: Sequence[tuple[int, str]],
    tags: Sequence[str],
    parent: QWidget,
) -> QMenu:
    """Build the menu.

    Args:
        target: What it is about.
        actions: Tells what was chosen.
        shortcuts: Keys that are shown beside the entries.
        collections: (id, name) of all collections.
        tags: Names of the tags used most.
        parent: Owner.
    """
    menu = QMenu(parent)
    parts = _Parts(menu, target, actions, shortcuts)
    parts.add_asking()
    menu.addSeparator()
    parts.add_marks(collections, tags)
    menu.addSeparator()
    parts.add_handing_over()
    menu.addSeparator()
    parts.add_caption()
    menu.aboutToHide.connect(menu.deleteLater)
    return menu


@dataclass(frozen=True, slots=True)
class _Parts:
    """The menu while it is put together."""

    menu: QMenu
    target: Target
    actions: ResultActions
    shortcuts: ShortcutMap

    def add(self, to: QMenu, label: str, action: str, value: object = None, *, image: str = "", key: str = "") -> None:
        """Add an entry that does an action."""
        # A name from the library must not make the letter after "&" a mnemonic, nor what follows a tab a shortcut.
        text = label.replace("&", "&&").replace("\t", " ")
        keys = self.shortcuts.text(key) if key else ""
        entry = to.addAction(f"{text}\t{keys}" if keys else text)
        if image:
            entry.setIcon(icon(image))
        actions = self.actions
        entry.triggered.connect(lambda _=False: actions.choose(action, value))

    def add_asking(self) -> None:
        """Hearing it, and asking for more."""
        menu = self.menu
        self.add(menu, translate("ResultMenu", "Play"), "play", image="play", key="play.toggle")
        like = translate("ResultMenu", "More like this")
        self.add(menu, like, "similar", image="similar", key="search.more_like_this")
        within = translate("ResultMenu", "Search inside these results")
        self.add(menu, within, "within", image="search", key="search.within")

    def add_marks(self, collections: Sequence[tuple[int, str]], tags: Sequence[str]) -> None:
        """What a person thinks of it."""
        menu, is_favourite = self.menu, self.target.is_favourite
        plain_again, favourite = translate("ResultMenu", "No favourite any more"), translate("ResultMenu", "Favourite")
        label = plain_again if is_favourite else favourite
        self.add(menu, label, "favourite", not is_favourite, image="star", key="favourite.toggle")
        rate = menu.addMenu(translate("ResultMenu", "Rate"))
        for rating in range(6):
            stars = "★" * rating or translate("ResultMenu", "No rating")
            self.add(rate, stars, "rate", rating, key=f"rating.{rating}")
        tag = menu.addMenu(icon("tag"), translate("ResultMenu", "Tag"))
        for name in tags:
            self.add(tag, name, "tag", name)
        if tags:
            tag.addSeparator()
        self.add(tag, translate("ResultMenu", "New tag…"), "tag", "", key="tag.add")
        collection = menu.addMenu(icon("collection"), translate("ResultMenu", "Add to a collection"))
        for collection_id, name in collections:
            self.add(collection, name, "collection", collection_id)
        if collections:
            collection.addSeparator()
        self.add(collection, translate("ResultMenu", "New collection…"), "collection", 0, key="collection.add")
        if self.target.collection_id is not None:
            self.add(menu, translate("ResultMenu", "Take out of this collection"), "leave", self.target.collection_id)

    def add_handing_over(self) -> None:
        """Taking it elsewhere."""
        menu, one = self.menu, self.target.count == 1
        paths = translate("ResultMenu", "Copy the file") if one else translate("ResultMenu", "Copy the files")
        self.add(menu, paths, "copy-path", image="copy", key="copy.path")
        self.add(menu, translate("ResultMenu", "Show in the file manager"), "reveal", image="reveal", key="reveal")
        self.add(menu, translate("ResultMenu", "Export…"), "export", image="export", key="export")

    def add_caption(self) -> None:
        """Its sentence."""
        caption = self.menu.addMenu(icon("captions"), translate("ResultMenu", "Caption"))
        self.add(caption, translate("ResultMenu", "Edit…"), "edit-caption", key="caption.edit")
        self.add(caption, translate("ResultMenu", "Write it anew"), "regenerate-caption")
        if self.target.is_written:
            self.add(caption, translate("ResultMenu", "Restore the model's"), "restore-caption")
        if self.target.caption:
            self.add(caption, translate("ResultMenu", "Copy"), "copy-caption", key="copy.caption")
