"""Clotho v2 and v2.1: sounds of Freesound with five captions each (Drossos, Lipping and Virtanen 2020).

As it is published: `clotho_captions_{development,validation,evaluation}.csv` (`file_name, caption_1 .. caption_5`),
`clotho_metadata_*.csv` (`file_name, keywords, sound_id, ..., license`) and archives that unpack to folders of the
splits' names. The tables and folders may lie in the data set's folder or up to four levels below it.
"""

from __future__ import annotations

import re
from pathlib import Path

from training.data.dataset import MISSING, Clip, DataError, Dataset, Omission, clean_captions, usable
from training.data.sound_file import SoundFiles, folders_below
from training.data.table import read_table

_PARTS = {"development": "train", "validation": "valid", "evaluation": "test"}
_CAPTION = re.compile(r"caption_\d+")


def is_clotho(folder: Path) -> bool:
    """Whether a folder holds a table of Clotho's captions."""
    return any((place / f"clotho_captions_{part}.csv").is_file() for place in folders_below(folder) for part in _PARTS)


def read_clotho(folder: Path) -> Dataset:
    """Read the splits that are there: development as train, validation as valid, evaluation as test.

    Raises:
        DataError: There is no table or no sound, or a table lacks a column.
    """
    places = list(folders_below(folder))
    clips: list[Clip] = []
    omissions: list[Omission] = []
    for part, split in _PARTS.items():
        table = _find(places, f"clotho_captions_{part}.csv")
        if table is None:
            continue
        sounds = SoundFiles(place for place in places if place.name in (part, f"clotho_audio_{part}"))
        metadata = _metadata(_find(places, f"clotho_metadata_{part}.csv"))
        for row in _captions(table):
            name = row["file_name"].strip()
            clip_id = f"{part}/{name}"
            path = sounds.by_name(row["file_name"]) or sounds.by_name(name)
            if path is None:
                omissions.append(Omission(MISSING, clip_id, f"{part}/{name}"))
                continue
            about = metadata.get(name, {})
            captions = clean_captions(text for column, text in row.items() if _CAPTION.fullmatch(column))
            clips.append(_clip(clip_id, path, captions, split, about))
    if not clips and not omissions:
        raise DataError(
            f"There is no clotho_captions_development.csv, _validation.csv or _evaluation.csv in {folder}.",
            "Put Clotho's tables and unpacked archives there.",
        )
    return usable("Clotho", clips, omissions)


def _clip(clip_id: str, path: Path, captions: tuple[str, ...], split: str, about: dict[str, str]) -> Clip:
    sound_id = about.get("sound_id", "").strip()
    known = sound_id.isdecimal()
    return Clip(
        id=clip_id,
        path=path,
        captions=captions,
        split=split,
        source="freesound" if known else "clotho",
        licence=about.get("license", "").strip(),
        group=f"freesound:{sound_id}" if known else clip_id,
        title=path.stem,
        tags=tuple(clean_captions(about.get("keywords", "").split(";"))),
    )


def _find(places: list[Path], name: str) -> Path | None:
    return next((place / name for place in places if (place / name).is_file()), None)


def _captions(table: Path) -> list[dict[str, str]]:
    rows = read_table(table, columns=["file_name"])
    if rows and not any(_CAPTION.fullmatch(column) for column in rows[0]):
        raise DataError(f"The table {table} has no column caption_1.", "Check that it is Clotho's table of captions.")
    return rows


def _metadata(table: Path | None) -> dict[str, dict[str, str]]:
    if table is None:
        return {}
    return {row["file_name"].strip(): row for row in read_table(table, columns=["file_name"])}
