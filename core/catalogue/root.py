"""The folders that a library covers."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.catalogue.failure import shown
from core.catalogue.kept import move_below_root
from core.catalogue.models import File, Root, RootState
from core.errors import LibraryError


@dataclass(frozen=True, slots=True)
class RootFolder:
    """A folder of the library.

    Attributes:
        id: Its row.
        path: Absolute, links resolved.
        is_offline: Whether it could not be reached at the last scan.
    """

    id: int
    path: Path
    is_offline: bool


def list_roots(session: Session) -> tuple[RootFolder, ...]:
    """All folders, in the order they were added; not the root of files kept outside them."""
    return tuple(_value(root) for root in session.scalars(select(Root).order_by(Root.id)) if root.path)


def add_root(session: Session, folder: Path) -> RootFolder:
    """Make a folder part of the library; one that lies inside another already is part of that.

    Returns:
        The root that covers the folder from now on.

    Raises:
        LibraryError: It is no folder. One that is in the library already may be offline.
    """
    path = _real(folder)
    roots = list_roots(session)
    if (known := _covering(roots, path)) is not None:
        return known
    if not path.is_dir():
        found = "is not a folder" if path.exists() else "does not exist"
        raise LibraryError(f"{shown(folder)} {found}.", "Name a folder of sounds.")
    root = Root(path=str(path), display_path=shown(path), state=RootState.ONLINE, added_at=time.time())
    session.add(root)
    session.flush()
    move_below_root(session, root.id, path)
    return _value(root)


def remove_root(session: Session, folder: Path) -> int:
    """Forget a folder and everything known of its files; on disk nothing changes.

    Returns:
        How many files were forgotten.

    Raises:
        LibraryError: It was never added by itself.
    """
    path = _real(folder)
    roots = list_roots(session)
    known = next((root for root in roots if root.path in (path, folder.absolute())), None)
    if known is None:
        covering = _covering(roots, path)
        listed = ", ".join(shown(root.path) for root in roots) or "none yet"
        raise LibraryError(
            f"{shown(folder)} is part of {shown(covering.path)} and cannot be removed alone."
            if covering
            else f"{shown(folder)} is not a folder of this library.",
            f"Its folders are: {listed}.",
        )
    count = session.scalar(select(func.count()).select_from(File).where(File.root_id == known.id)) or 0
    session.execute(delete(Root).where(Root.id == known.id))
    return count


def set_root_state(session: Session, root_id: int, state: RootState) -> None:
    """Note whether a folder can be reached; its files stay as they are."""
    root = session.get_one(Root, root_id)
    if root.state is not state:
        root.state = state


def _real(folder: Path) -> Path:
    # Path.resolve would raise at a loop of links.
    return Path(os.path.realpath(folder))


def _covering(roots: tuple[RootFolder, ...], path: Path) -> RootFolder | None:
    return next((root for root in roots if path == root.path or root.path in path.parents), None)


def _value(root: Root) -> RootFolder:
    return RootFolder(root.id, Path(root.path), root.state is RootState.OFFLINE)
