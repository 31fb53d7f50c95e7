"""What can be done with the selected sounds, as a menu; whoever opened it carries things out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.shortcut import ShortcutMap
from app.theme import icon


@dataclass(frozen=True, slots=True)
class Target:
    """What the menu is about.

    Attributes:
        count: Selected sounds.
        is_favourite: Whether the current one is a favourite.
        rating: Of the current one.
        caption: Of the current one.
        is_written: Whether a person wrote it.
    """

    count: int
    is_favourite: bool
    rating: int
    caption: str
    is_written: bool


class ResultActions(QObject):
    """What was chosen from the menu.

    Attributes:
        chosen: (str, object) an action's id and its value: "play", "similar", "within", "favourite" (bool), "rate"
            (int), "tag" (str, or empty to ask), "collection" (id, or 0 for a new one), "copy-path", "reveal", "export",
            "edit-caption", "regenerate-caption", "restore-caption", "copy-caption".
    """

    chosen = Signal(str, object)


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

    def add(to: QMenu, label: str, action: str, value: object = None, *, image: str = "", key: str = "") -> None:
        # A name from the library must not make the letter after "&" a mnemonic, nor what follows a tab a shortcut.
        text = label.replace("&", "&&").replace("\t", " ")
        shown = to.addAction(text if not key or not shortcuts.text(key) else f"{text}\t{shortcuts.text(key)}")
        if image:
            shown.setIcon(icon(image))
        shown.triggered.connect(lambda _=False: actions.chosen.emit(action, value))

    one = target.count == 1
    add(menu, _tr("Play"), "play", image="play", key="play.toggle")
    add(menu, _tr("More like this"), "similar", image="similar", key="search.more_like_this")
    add(menu, _tr("Search inside these results"), "within", image="search", key="search.within")
    menu.addSeparator()
    favourite = _tr("No favourite any more") if target.is_favourite else _tr("Favourite")
    add(menu, favourite, "favourite", not target.is_favourite, image="star", key="favourite.toggle")
    rate = menu.addMenu(_tr("Rate"))
    for rating in range(6):
        add(rate, "★" * rating or _tr("No rating"), "rate", rating, key=f"rating.{rating}")
    tag = menu.addMenu(icon("tag"), _tr("Tag"))
    for name in tags:
        add(tag, name, "tag", name)
    if tags:
        tag.addSeparator()
    add(tag, _tr("New tag…"), "tag", "", key="tag.add")
    collection = menu.addMenu(icon("collection"), _tr("Add to a collection"))
    for collection_id, name in collections:
        add(collection, name, "collection", collection_id)
    if collections:
        collection.addSeparator()
    add(collection, _tr("New collection…"), "collection", 0, key="collection.add")
    menu.addSeparator()
    add(menu, _tr("Copy the path") if one else _tr("Copy the paths"), "copy-path", image="copy", key="copy.path")
    add(menu, _tr("Show in the file manager"), "reveal", image="reveal", key="reveal")
    add(menu, _tr("Export…"), "export", image="export", key="export")
    menu.addSeparator()
    caption = menu.addMenu(icon("captions"), _tr("Caption"))
    add(caption, _tr("Edit…"), "edit-caption", key="caption.edit")
    add(caption, _tr("Write it anew"), "regenerate-caption")
    if target.is_written:
        add(caption, _tr("Restore the model's"), "restore-caption")
    if target.caption:
        add(caption, _tr("Copy"), "copy-caption", key="copy.caption")
    menu.aboutToHide.connect(menu.deleteLater)
    return menu


def _tr(text: str) -> str:
    return QCoreApplication.translate("ResultMenu", text)
