"""One form for every data set of described sounds, whatever its layout on disk."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import KnownError
from training.data.storage import replace_file

SPLITS = ("train", "valid", "test")

MISSING = "missing file"
UNDESCRIBED = "no caption"
EXCLUDED = "excluded"
TOO_SHORT = "too short"
TOO_LONG = "too long"


class DataError(KnownError):
    """A data set on disk cannot be used."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One described sound.

    Attributes:
        id: Unique in its data set.
        path: The file.
        captions: One sentence or more.
        split: "train", "valid" or "test".
        duration_s: Its length; NaN where the data set's own tables do not say it.
        source: The project, collection or part that it comes from.
        licence: Its own.
        licence_family: Coarser.
        category: Coarse kind of sound; empty where nothing says it.
        group: Takes and variants of one sound share it and belong into one split. Of published sets it names the
            origin ("freesound:1234", "youtube:abc"), so that sets can be kept apart from each other.
        title: A few words.
        tags: Keywords of whoever recorded it.
    """

    id: str
    path: Path
    captions: tuple[str, ...]
    split: str
    duration_s: float = math.nan
    source: str = ""
    licence: str = ""
    licence_family: str = ""
    category: str = ""
    group: str = ""
    title: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Omission:
    """A clip that a data set names and that cannot or must not be used.

    Attributes:
        kind: One of this module's words: `MISSING`, `UNDESCRIBED`, `EXCLUDED`, `TOO_SHORT`, `TOO_LONG`.
        id: Of the clip.
        detail: More for a person: the file that was looked for, the list that excludes it.
    """

    kind: str
    id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Described sounds.

    Attributes:
        name: Of the data set.
        clips: Those that can be used, in the order of its tables.
        omissions: Those that cannot.
    """

    name: str
    clips: tuple[Clip, ...]
    omissions: tuple[Omission, ...] = ()

    def split(self, name: str) -> tuple[Clip, ...]:
        """The clips of one split."""
        if name not in SPLITS:
            raise ValueError(f"a split is one of {', '.join(SPLITS)}, not {name!r}")
        return tuple(clip for clip in self.clips if clip.split == name)

    def omitted(self) -> dict[str, int]:
        """How many clips were left out, by kind."""
        return dict(Counter(omission.kind for omission in self.omissions))


def clean_captions(texts: Iterable[object]) -> tuple[str, ...]:
    """Sentences with single spaces, without the empty ones."""
    joined = (" ".join(str(text).split()) for text in texts if text is not None)
    return tuple(text for text in joined if text)


def usable(name: str, clips: Iterable[Clip], omissions: Iterable[Omission] = ()) -> Dataset:
    """A data set of those clips that have a caption and a file; what is left out is counted.

    Raises:
        DataError: An id comes twice, or nothing is left.
    """
    kept: list[Clip] = []
    left_out = list(omissions)
    for clip in clips:
        if not clip.captions:
            left_out.append(Omission(UNDESCRIBED, clip.id))
        elif not clip.path.is_file():
            left_out.append(Omission(MISSING, clip.id, str(clip.path)))
        else:
            kept.append(clip)
    doubles = [id_ for id_, count in Counter(clip.id for clip in kept).items() if count > 1]
    if doubles:
        raise DataError(f"The id {doubles[0]} comes twice in {name}.", "Every clip needs an id of its own.")
    if not kept:
        counts = ", ".join(f"{count} x {kind}" for kind, count in Counter(o.kind for o in left_out).items())
        raise DataError(
            f"No clip of {name} can be used ({counts or 'its tables are empty'}).",
            "Look whether the sounds lie where the documentation of the data sets says.",
        )
    return Dataset(name, tuple(kept), tuple(left_out))


def order_of_group(group: str) -> int:
    """A number for a group that looks drawn, always the same."""
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16)


def split_of_group(group: str) -> str:
    """A split for a group that was given none: about 80 % train, 10 % valid, 10 % test, always the same."""
    number = order_of_group(group) % 10
    return "valid" if number == 8 else "test" if number == 9 else "train"


def groups_in_two_splits(clips: Sequence[Clip]) -> tuple[str, ...]:
    """Groups that fall into more than one split: what is learned there is asked in the test."""
    splits: dict[str, set[str]] = {}
    for clip in clips:
        if clip.group:
            splits.setdefault(clip.group, set()).add(clip.split)
    return tuple(sorted(group for group, found in splits.items() if len(found) > 1))


def write_manifest(clips: Sequence[Clip], file: Path) -> None:
    """Write clips as a folder manifest (see `training.data.manifest`), complete or not at all.

    Files below the manifest's folder are named relative to it, all others by their whole path.

    Raises:
        KnownError: There is no space, or the folder may not be written.
    """
    folder = file.resolve().parent

    def write(partial: Path) -> None:
        with partial.open("w", encoding="utf-8") as out:
            for clip in clips:
                out.write(json.dumps(_fields(clip, folder), ensure_ascii=False) + "\n")

    replace_file(file, write)


def _fields(clip: Clip, folder: Path) -> dict[str, object]:
    path = clip.path.resolve()
    file = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
    fields: dict[str, object] = {
        "id": clip.id,
        "file": file,
        "captions": list(clip.captions),
        "split": clip.split,
        "source": clip.source,
        "licence": clip.licence,
        "licence_family": clip.licence_family,
        "category": clip.category,
        "group": clip.group,
        "title": clip.title,
        "tags": list(clip.tags),
    }
    if not math.isnan(clip.duration_s):
        fields["duration_s"] = round(clip.duration_s, 6)
    return fields
