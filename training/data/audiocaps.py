"""AudioCaps: ten seconds of YouTube videos with captions (Kim et al. 2019), versions 1 and 2.

As it is published: `train.csv`, `val.csv`, `test.csv` with `audiocap_id, youtube_id, start_time, caption`, one row a
caption (version 1 in a folder `dataset`, version 2 in `dataset2.0`). Sounds have to be fetched by everyone for
themselves, so some are always missing, and their names differ: `ID_START.wav`, `YID.wav` and `ID.wav` are understood,
with any extension.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from training.data.dataset import MISSING, Clip, DataError, Dataset, Omission, clean_captions, usable
from training.data.sound_file import SoundFiles, folders_below
from training.data.table import read_table

Version = Literal["1", "2"]
_SPLITS = {"train": "train", "val": "valid", "test": "test"}
_COLUMNS = ("youtube_id", "start_time", "caption")
_FOLDERS: dict[Version, str] = {"1": "dataset", "2": "dataset2.0"}


def is_audiocaps(folder: Path) -> bool:
    """Whether a folder holds a table of AudioCaps' captions."""
    for table in (_table(place, split) for place in folders_below(folder, depth=1) for split in _SPLITS):
        if table is not None:
            with table.open("rb") as file:
                return b"youtube_id" in file.readline(1000)
    return False


def read_audiocaps(folder: Path, *, version: Version | None = None, audio: Path | None = None) -> Dataset:
    """Read the splits that are there.

    Args:
        folder: With the tables, or with the published folders `dataset` and `dataset2.0`.
        version: Which of these to take; None: the only one.
        audio: Folder of the sounds; None: below `folder`. Folders of the splits' names are told apart where there are
            any.

    Raises:
        DataError: There is no table or no sound, a table lacks a column, or both versions are there and none is chosen.
    """
    tables = _tables(folder, version)
    place = audio if audio is not None else folder
    everything: SoundFiles | None = None
    clips: list[Clip] = []
    omissions: list[Omission] = []
    own = list(folders_below(place))
    for name, split in _SPLITS.items():
        table = _table(tables, name)
        if table is None:
            continue
        below = [path for path in own if path.name in (name, split, f"{name}_v2") and path != tables]
        if below:
            sounds = SoundFiles(below)
        else:
            everything = everything or SoundFiles([place])
            sounds = everything
        found, missing = _read_split(table, split, sounds)
        clips += found
        omissions += missing
    return usable(f"AudioCaps{f' v{version}' if version else ''}", clips, omissions)


def _read_split(table: Path, split: str, sounds: SoundFiles) -> tuple[list[Clip], list[Omission]]:
    captions: dict[tuple[str, str], list[str]] = {}
    for number, row in enumerate(read_table(table, columns=_COLUMNS), start=2):
        captions.setdefault((row["youtube_id"].strip(), _start(row, number, table)), []).append(row["caption"])
    clips: list[Clip] = []
    omissions: list[Omission] = []
    for (youtube_id, start), texts in captions.items():
        clip_id = f"{youtube_id}_{start}"
        path = sounds.by_stem(clip_id, f"Y{clip_id}", f"Y{youtube_id}", youtube_id)
        if path is None:
            omissions.append(Omission(MISSING, clip_id, f"{split}: {clip_id}.* or Y{youtube_id}.*"))
            continue
        group = f"youtube:{youtube_id}"
        clips.append(Clip(clip_id, path, clean_captions(texts), split, source="youtube", group=group))
    return clips, omissions


def _start(row: dict[str, str], number: int, table: Path) -> str:
    try:
        return f"{float(row['start_time']):g}"
    except ValueError:
        raise DataError(f"Row {number} of {table} has the start time {row['start_time']!r}, no number.") from None


def _tables(folder: Path, version: Version | None) -> Path:
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", "Give the folder of AudioCaps.")
    there = [key for key, name in _FOLDERS.items() if any(_table(folder / name, split) for split in _SPLITS)]
    direct = any(_table(folder, split) for split in _SPLITS)
    if version is None and len(there) > 1 and not direct:
        raise DataError(f"Both versions of AudioCaps are in {folder}.", "Choose one with --version 1 or --version 2.")
    if version in there or (version is None and there and not direct):
        return folder / _FOLDERS[version or there[0]]
    if direct:
        return folder
    raise DataError(
        f"There is no train.csv, val.csv or test.csv of AudioCaps{f' v{version}' if version else ''} in {folder}.",
        "Put the published tables there.",
    )


def _table(place: Path, split: str) -> Path | None:
    candidates = (place / f"{split}.csv", place / f"audiocaps_{split}.csv", place / f"{split}_v2.csv")
    return next((path for path in candidates if path.is_file()), None)
