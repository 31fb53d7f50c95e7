"""The folders below a root of the library as branches of the sidebar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.models.folders import Node, NodeKind
from app.models.row import plain

if TYPE_CHECKING:
    from core.library import FolderCount, RootRow

# A tree that long is searched, not read; of larger ones only the upper levels are shown.
MOST_FOLDERS = 5_000


@dataclass(slots=True)
class _Branch:
    files: int = 0
    below: dict[str, _Branch] = field(default_factory=dict)


def folder_branches(roots: Iterable[RootRow], folders: Sequence[FolderCount]) -> dict[int, tuple[Node, ...]]:
    """The lines below each root, by the root's id. A folder counts what lies in it and below it.

    Takes a moment with many thousand folders, and may be called on any thread.
    """
    found = {}
    for root in roots:
        top = _Branch()
        for folder in folders:
            if folder.root_id == root.id:
                branch = top
                for name in folder.path.relative_to(root.path).parts:
                    branch = branch.below.setdefault(name, _Branch())
                    branch.files += folder.files
        found[root.id] = _nodes(top, root.path, _depth(top))
    return found


def _depth(top: _Branch) -> int:
    """How many levels there is room for."""
    depth, number, level = 0, 0, [top]
    while level:
        level = [below for branch in level for below in branch.below.values()]
        number += len(level)
        if number > MOST_FOLDERS:
            break
        depth += 1
    return depth


def _nodes(branch: _Branch, path: Path, depth: int) -> tuple[Node, ...]:
    if depth <= 0:
        return ()
    return tuple(
        Node(
            NodeKind.SUBFOLDER,
            str(path / name),
            plain(name),
            below.files,
            tip=plain(str(path / name)),
            icon="folder",
            path=path / name,
            children=_nodes(below, path / name, depth - 1),
        )
        for name, below in sorted(branch.below.items(), key=lambda one: one[0].casefold())
    )
