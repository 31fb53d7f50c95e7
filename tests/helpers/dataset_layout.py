"""Tiny data sets in the layouts of the published ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE_HZ = 16_000


@contextmanager
def full_disk(*, after_bytes: int = 0) -> Iterator[None]:
    """No file can grow beyond some bytes: the operating system itself refuses, as it does when a disk is full."""
    resource = pytest.importorskip("resource", reason="this system has no limits for the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


CLOTHO_COLUMNS = ("file_name", "caption_1", "caption_2", "caption_3", "caption_4", "caption_5")


def write_sound(path: Path, *, duration_s: float = 0.5, level: float = 0.3, seed: int = 0) -> Path:
    """A little noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-1, 1, round(duration_s * RATE_HZ))
    soundfile.write(path, level * noise, RATE_HZ)
    return path


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], *, encoding: str = "utf-8") -> Path:
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_json(path: Path, content: object) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_clotho(
    folder: Path, names: Mapping[str, Sequence[str]], *, encoding: str = "utf-8", nested: bool = True
) -> Path:
    """Clotho with sounds of these names in its parts, in one of the two ways in which people unpack it."""
    tables = folder / "clotho_csv_files" if nested else folder
    sounds = folder / "clotho_audio_files" if nested else folder
    for part, own in names.items():
        rows = [[name, *(f"{part} sound {row} told {number}" for number in range(5))] for row, name in enumerate(own)]
        write_rows(tables / f"clotho_captions_{part}.csv", CLOTHO_COLUMNS, rows, encoding=encoding)
        about = [
            [name, "dog;bark; loud", str(1000 + 10 * len(part) + row), "http://x", "[0, 1]", "someone", "CC0"]
            for row, name in enumerate(own)
        ]
        header = ["file_name", "keywords", "sound_id", "sound_link", "start_end_samples", "manufacturer", "license"]
        write_rows(tables / f"clotho_metadata_{part}.csv", header, about, encoding=encoding)
        for row, name in enumerate(own):
            write_sound(sounds / part / name.strip(), seed=row)
    return folder


def write_audiocaps(folder: Path, rows: Mapping[str, Sequence[tuple[str, str, str]]]) -> Path:
    """The tables of AudioCaps: for each split (youtube id, start, caption)."""
    for split, own in rows.items():
        numbered = [[str(number), *row] for number, row in enumerate(own)]
        write_rows(folder / f"{split}.csv", ["audiocap_id", "youtube_id", "start_time", "caption"], numbered)
    return folder


def write_wavcaps(folder: Path, parts: Mapping[str, Sequence[Mapping[str, object]]], **lists: Sequence[str]) -> Path:
    """The tables of WavCaps, and its list of what overlaps with test sets."""
    short = {"AudioSet_SL": "as", "BBC_Sound_Effects": "bbc", "FreeSound": "fsd", "SoundBible": "sb"}
    for part, entries in parts.items():
        path = folder / "json_files" / part / f"{short[part]}_final.json"
        write_json(path, {"num_captions_per_audio": 1, "data": list(entries)})
    if lists:
        write_json(folder / "json_files" / "blacklist" / "blacklist_exclude_test_ac.json", lists)
    return folder


def write_manifest_lines(folder: Path, lines: Sequence[Mapping[str, object]]) -> Path:
    """`corpus.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n", encoding="utf-8")
    return folder
