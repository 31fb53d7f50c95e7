"""A folder of described sounds: one JSON object a line, as in the corpus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import KnownError

MANIFEST_FILE = "corpus.jsonl"
SPLITS = ("train", "valid", "test")


class ManifestError(KnownError):
    """The manifest is missing or damaged."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One described sound.

    Attributes:
        id: Unique in the manifest.
        path: The file.
        duration_s: Its length.
        source: The project or collection that it comes from.
        licence: Its own.
        licence_family: Coarser.
        category: Coarse kind of sound.
        group: Takes and variants of one sound share it, and never fall into different splits.
        title: A few words.
        captions: One sentence or more.
        split: "train", "valid" or "test".
    """

    id: str
    path: Path
    duration_s: float
    source: str
    licence: str
    licence_family: str
    category: str
    group: str
    title: str
    captions: tuple[str, ...]
    split: str


def read_manifest(folder: Path) -> tuple[Clip, ...]:
    """Read `corpus.jsonl` of a folder.

    Raises:
        ManifestError: The file is missing, a line is damaged, an id comes twice, or a group is in two splits.
    """
    path = folder / MANIFEST_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"The corpus in {folder} cannot be read: {error}.", "Give its folder with --data."
        ) from error
    clips: list[Clip] = []
    for number, line in enumerate(lines, start=1):
        try:
            clips.append(_clip(folder, json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise ManifestError(f"Line {number} of {path} is damaged: {error!r}.") from error
    _check(path, clips)
    return tuple(clips)


def _clip(folder: Path, fields: dict[str, object]) -> Clip:
    captions = fields["captions"]
    if not isinstance(captions, list) or not captions or fields["split"] not in SPLITS:
        raise ValueError("a clip has captions and one of the splits train, valid, test")
    return Clip(
        id=str(fields["id"]),
        path=folder / str(fields["file"]),
        duration_s=float(str(fields["duration_s"])),
        source=str(fields["source"]),
        licence=str(fields["licence"]),
        licence_family=str(fields["licence_family"]),
        category=str(fields["category"]),
        group=str(fields["group"]),
        title=str(fields["title"]),
        captions=tuple(str(caption) for caption in captions),
        split=str(fields["split"]),
    )


def _check(path: Path, clips: Sequence[Clip]) -> None:
    if len({clip.id for clip in clips}) != len(clips):
        raise ManifestError(f"An id comes twice in {path}.")
    splits: dict[str, str] = {}
    for clip in clips:
        if splits.setdefault(clip.group, clip.split) != clip.split:
            raise ManifestError(f"The group {clip.group} of {path} is in two splits.")
