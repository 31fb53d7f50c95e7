"""A folder of described sounds: one JSON object a line, as in the corpus.

`corpus.jsonl` or `manifest.jsonl`. A line needs `file` (relative to the folder, or a whole path) and `captions` (or
`caption`); all else has a sensible value where it is not given: `id` is the file, `group` the id, and `split` is drawn
by the group. Further keys are ignored. Where no line tells a split and chance leaves one empty, as with a dozen sounds,
a group of the training split moves there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.data.dataset import (
    SPLITS,
    UNDESCRIBED,
    Clip,
    DataError,
    Dataset,
    Omission,
    clean_captions,
    groups_in_two_splits,
    order_of_group,
    split_of_group,
    usable,
)

MANIFEST_FILE = "corpus.jsonl"
MANIFEST_FILES = (MANIFEST_FILE, "manifest.jsonl")
__all__ = ["MANIFEST_FILE", "MANIFEST_FILES", "SPLITS", "Clip", "ManifestError", "read_folder", "read_manifest"]


class ManifestError(DataError):
    """The manifest is missing or damaged."""


def find_manifest(folder: Path) -> Path | None:
    """The manifest of a folder (or the manifest itself, given by its own path)."""
    if folder.suffix == ".jsonl" and folder.is_file():
        return folder
    return next((folder / name for name in MANIFEST_FILES if (folder / name).is_file()), None)


def read_manifest(folder: Path) -> tuple[Clip, ...]:
    """The clips of a folder's manifest that have captions; whether their files exist is not looked at.

    Raises:
        ManifestError: The file is missing, a line is damaged, an id comes twice, or a group is in two splits.
    """
    return _read(folder)[0]


def read_folder(folder: Path) -> Dataset:
    """The same as a data set: clips whose files are missing are left out and counted.

    Raises:
        DataError: As `read_manifest`, or nothing can be used.
    """
    clips, omissions = _read(folder)
    return usable(folder.stem, clips, omissions)


def _read(folder: Path) -> tuple[tuple[Clip, ...], list[Omission]]:
    path = find_manifest(folder) or folder / MANIFEST_FILE
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(
            f"The corpus in {folder} cannot be read: {error}.", "Give its folder with --data."
        ) from error
    clips: list[Clip] = []
    omissions: list[Omission] = []
    told = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            clip = _clip(path.parent, fields)
            told = told or bool(fields.get("split"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"Line {number} of {path} is damaged: {error!r}.") from error
        if clip.captions:
            clips.append(clip)
        else:
            omissions.append(Omission(UNDESCRIBED, clip.id, f"line {number}"))
    if not told:
        clips = _in_every_split(clips)
    _check(path, clips)
    return tuple(clips), omissions


def _in_every_split(clips: list[Clip]) -> list[Clip]:
    """Drawn splits with a group for each where there are enough groups; the same for the same groups."""
    for split in SPLITS[1:]:
        learned = sorted({clip.group for clip in clips if clip.split == "train"}, key=order_of_group)
        if len(learned) > 1 and not any(clip.split == split for clip in clips):
            clips = [replace(clip, split=split) if clip.group == learned[0] else clip for clip in clips]
    return clips


def _clip(folder: Path, fields: dict[str, object]) -> Clip:
    captions = fields.get("captions", [fields["caption"]] if "caption" in fields else None)
    tags = fields.get("tags", [])
    if not isinstance(captions, list) or not isinstance(tags, list):
        raise ValueError("captions and tags are lists of texts")
    file = str(fields["file"])
    clip_id = str(fields.get("id", file))
    group = str(fields.get("group") or clip_id)
    split = str(fields.get("split") or split_of_group(group))
    if split not in SPLITS:
        raise ValueError(f"a clip has one of the splits {', '.join(SPLITS)}, not {split!r}")
    return Clip(
        id=clip_id,
        path=folder / file,
        captions=clean_captions(captions),
        split=split,
        duration_s=float(str(fields.get("duration_s", math.nan))),
        source=str(fields.get("source", "")),
        licence=str(fields.get("licence", "")),
        licence_family=str(fields.get("licence_family", "")),
        category=str(fields.get("category", "")),
        group=group,
        title=str(fields.get("title", "")),
        tags=clean_captions(tags),
    )


def _check(path: Path, clips: Sequence[Clip]) -> None:
    if len({clip.id for clip in clips}) != len(clips):
        raise ManifestError(f"An id comes twice in {path}.")
    torn = groups_in_two_splits(clips)
    if torn:
        raise ManifestError(f"The group {torn[0]} of {path} is in two splits.")
