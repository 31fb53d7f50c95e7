"""Clips of a manifest whose files do not exist."""

from __future__ import annotations

from pathlib import Path

from training.data.manifest import Clip


def made_up_clip(name: str, *, caption: str = "It is heard", title: str = "", category: str = "animals") -> Clip:
    """A test clip of a group of its own; it is titled by its caption unless it has another title."""
    return Clip(
        id=name,
        path=Path(f"{name}.wav"),
        captions=(caption,),
        split="test",
        duration_s=2.0,
        source="s",
        category=category,
        group=name,
        title=title or caption,
    )
