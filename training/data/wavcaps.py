"""WavCaps: sounds of four sources with one machine-written caption each (Mei et al. 2023). Academic use only.

As it is published: `json_files/PART/*.json` with `{"data": [{"id", "caption", "duration", ...}]}` for the parts
`AudioSet_SL`, `BBC_Sound_Effects`, `FreeSound` and `SoundBible`, archives of FLAC files that unpack to folders named
`PART` or `PART_flac` (however deep), and lists of what overlaps with other data sets in `json_files/blacklist/`.
Freesound is where Clotho comes from and AudioSet is where AudioCaps comes from, so what is tested must be left out.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.dataset import (
    EXCLUDED,
    MISSING,
    TOO_LONG,
    TOO_SHORT,
    Clip,
    DataError,
    Dataset,
    Omission,
    clean_captions,
    usable,
)
from training.data.sound_file import SoundFiles, folders_below

PARTS = ("AudioSet_SL", "BBC_Sound_Effects", "FreeSound", "SoundBible")
_ORIGINS = {"AudioSet_SL": "youtube", "BBC_Sound_Effects": "bbc", "FreeSound": "freesound", "SoundBible": "soundbible"}
_LIST_KEYS = {"AudioSet": "youtube", "FreeSound": "freesound"}
_TEST_LIST = "blacklist_exclude_test_ac.json"
_JSON_DEPTH = 5
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Sounds that must not be learned from.

    Attributes:
        name: Where the list comes from, for the counts.
        groups: As in `Clip.group`: "freesound:1234", "youtube:abc".
    """

    name: str
    groups: frozenset[str]


def exclusion_of(clips: Iterable[Clip], *, name: str) -> Exclusion:
    """What a data set's own tables exclude: give the test (and validation) clips of Clotho or AudioCaps."""
    return Exclusion(name, frozenset(clip.group for clip in clips if clip.group))


def read_exclusion(path: Path) -> Exclusion:
    """A published list of what to leave out.

    WavCaps' own are JSON (`{"AudioSet": [...], "FreeSound": [...]}`), DCASE's is a CSV of Freesound ids with a header.

    Raises:
        DataError: It cannot be read or names nothing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            lists = json.loads(text)
            pairs = [(_LIST_KEYS[key], id_) for key in _LIST_KEYS for id_ in lists.get(key, [])]
        else:
            pairs = [("freesound", row[0]) for row in list(csv.reader(io.StringIO(text)))[1:] if row]
    except (OSError, ValueError, AttributeError, csv.Error) as error:
        raise DataError(f"The exclusion list {path} cannot be read: {error}.") from error
    groups = frozenset(_group(origin, str(id_)) for origin, id_ in pairs if str(id_).strip())
    if not groups:
        raise DataError(f"The exclusion list {path} names no sound.", "Check that it is the right file.")
    return Exclusion(path.name, groups)


def is_wavcaps(folder: Path) -> bool:
    """Whether a folder holds tables of WavCaps."""
    return any((folder / "json_files" / part).is_dir() for part in PARTS)


def read_wavcaps(
    folder: Path,
    *,
    parts: Sequence[str] | None = None,
    exclusions: Sequence[Exclusion] | None = None,
    shortest_s: float = 1.0,
    longest_s: float = math.inf,
) -> Dataset:
    """Read parts of WavCaps; all of it is for training.

    Args:
        folder: With `json_files` and the unpacked sounds.
        parts: Some of `PARTS`; None: those whose tables are there.
        exclusions: What to leave out; None: the published list of what overlaps with the test sets of AudioCaps and
            Clotho, which must then be there. An empty sequence leaves nothing out.
        shortest_s: Shorter clips are left out.
        longest_s: Longer clips are left out.

    Raises:
        DataError: A table or the list is missing or damaged, or nothing is left.
    """
    unknown = sorted(set(parts or ()) - set(PARTS))
    if unknown:
        raise DataError(f"WavCaps has no part {unknown[0]}.", f"Its parts are {', '.join(PARTS)}.")
    if exclusions is None:
        exclusions = [_published_exclusion(folder)]
    clips: list[Clip] = []
    omissions: list[Omission] = []
    for part in parts or PARTS:
        table = _table(folder, part)
        if table is None:
            if parts:
                raise DataError(f"There is no table of WavCaps' part {part} in {folder / 'json_files' / part}.")
            continue
        for found in _read_part(folder, part, table, exclusions, shortest_s, longest_s):
            if isinstance(found, Clip):
                clips.append(found)
            else:
                omissions.append(found)
    return usable("WavCaps", clips, omissions)


def _read_part(
    folder: Path,
    part: str,
    table: Path,
    exclusions: Sequence[Exclusion],
    shortest_s: float,
    longest_s: float,
) -> Iterator[Clip | Omission]:
    sounds = SoundFiles(
        place
        for place in folders_below(folder, depth=12)
        if place.name in (part, f"{part}_flac") and _holds_sounds(place)
    )
    for number, entry in enumerate(_entries(table), start=1):
        try:
            name = str(entry["id"]).strip()
            captions, duration_s = clean_captions([entry["caption"]]), float(str(entry.get("duration", "nan")))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"Entry {number} of {table} is damaged: {error!r}.") from error
        clip_id = f"{part}/{name}"
        group = _group(_ORIGINS[part], name)
        barring = next((exclusion for exclusion in exclusions if group in exclusion.groups), None)
        path = sounds.by_stem(name, Path(name).stem)
        if barring is not None:
            yield Omission(EXCLUDED, clip_id, barring.name)
        elif duration_s < shortest_s:
            yield Omission(TOO_SHORT, clip_id, f"{duration_s:g} s")
        elif duration_s > longest_s:
            yield Omission(TOO_LONG, clip_id, f"{duration_s:g} s")
        elif path is None:
            yield Omission(MISSING, clip_id, f"{part}: {Path(name).stem}.*")
        else:
            yield Clip(
                id=clip_id,
                path=path,
                captions=captions,
                split="train",
                duration_s=duration_s,
                source=_ORIGINS[part],
                licence="academic use only",
                group=group,
                title=str(entry.get("title") or ""),
                tags=_tags(entry),
            )


def _entries(table: Path) -> list[dict[str, object]]:
    try:
        content = json.loads(table.read_text(encoding="utf-8-sig"))
        entries = content["data"] if isinstance(content, dict) else content
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError("it holds no list of entries")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"The table {table} cannot be read: {error}.", "Get it again from where it came.") from error
    return entries


def _tags(entry: dict[str, object]) -> tuple[str, ...]:
    tags = entry.get("tags")
    return clean_captions(tags) if isinstance(tags, list) else ()


def _table(folder: Path, part: str) -> Path | None:
    return next(iter(sorted((folder / "json_files" / part).glob("*.json"))), None)


def _published_exclusion(folder: Path) -> Exclusion:
    path = folder / "json_files" / "blacklist" / _TEST_LIST
    if not path.is_file():
        raise DataError(
            f"There is no list of what WavCaps shares with the test sets of AudioCaps and Clotho ({path}).",
            "Get it, or give others with --exclude, or say --exclude none.",
        )
    return read_exclusion(path)


def _holds_sounds(place: Path) -> bool:
    return "json_files" not in place.parts


def _group(origin: str, name: str) -> str:
    """The name of a sound's origin. AudioSet's files are called "Y" and the video's id, with an extension."""
    stem = name.strip().removesuffix(".wav").removesuffix(".flac")
    if origin == "youtube" and len(stem) == 12 and stem.startswith("Y"):
        stem = stem[1:]
    return f"{origin}:{stem}"
