"""Which layout a data set has on disk, and reading it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from training.data.audiocaps import Version, is_audiocaps, read_audiocaps
from training.data.clotho import is_clotho, read_clotho
from training.data.dataset import EXCLUDED, Clip, DataError, Dataset, Omission, usable
from training.data.manifest import find_manifest, read_folder
from training.data.wavcaps import Exclusion, exclusion_of, is_wavcaps, read_exclusion, read_wavcaps

Layout = Literal["auto", "folder", "clotho", "audiocaps", "wavcaps"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def find_layout(folder: Path) -> Layout:
    """The layout of a data set's folder.

    Raises:
        DataError: It is none that is known.
    """
    if find_manifest(folder) is not None:
        return "folder"
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", "Give the folder of the data set.")
    if is_wavcaps(folder):
        return "wavcaps"
    if is_clotho(folder):
        return "clotho"
    if is_audiocaps(folder):
        return "audiocaps"
    raise DataError(
        f"{folder} holds no data set of a known layout.",
        "It needs corpus.jsonl or manifest.jsonl, or the published tables of Clotho, AudioCaps or WavCaps.",
    )


def load_dataset(
    folder: Path,
    *,
    layout: Layout = "auto",
    version: Version | None = None,
    audio: Path | None = None,
    exclude: Sequence[str] = (),
) -> Dataset:
    """Read a data set.

    Args:
        folder: Of the data set; of a folder of sounds also its manifest.
        layout: "auto": found out.
        version: Of AudioCaps, where both are there.
        audio: Of AudioCaps: where the sounds are, if not below `folder`.
        exclude: What must not be learned from, each a published list (.json, .csv) or the folder of another data set,
            whose validation and test clips are meant; "none": nothing. Empty: WavCaps' own list for WavCaps, nothing
            for the others.

    Raises:
        DataError: It cannot be read.
    """
    kind = find_layout(folder) if layout == "auto" else layout
    exclusions = [read_exclusions(name) for name in exclude if name != "none"]
    if kind == "wavcaps":
        return read_wavcaps(folder, exclusions=exclusions if exclude else None)
    if kind == "clotho":
        dataset = read_clotho(folder)
    elif kind == "audiocaps":
        dataset = read_audiocaps(folder, version=version, audio=audio)
    else:
        dataset = read_folder(folder)
    return without(dataset, exclusions)


def read_exclusions(name: str) -> Exclusion:
    """A published list, or the validation and test clips of a data set's folder.

    Raises:
        DataError: It is neither.
    """
    path = Path(name)
    if path.is_file() and path.suffix.lower() in (".json", ".csv"):
        return read_exclusion(path)
    other = load_dataset(path)
    return exclusion_of((clip for clip in other.clips if clip.split != "train"), name=other.name)


def without(dataset: Dataset, exclusions: Sequence[Exclusion]) -> Dataset:
    """A data set whose training clips are none of the excluded ones; what is left out is counted.

    Raises:
        DataError: Nothing is left.
    """
    kept: list[Clip] = []
    omissions = list(dataset.omissions)
    for clip in dataset.clips:
        barring = next((one for one in exclusions if clip.split == "train" and clip.group in one.groups), None)
        if barring is None:
            kept.append(clip)
        else:
            omissions.append(Omission(EXCLUDED, clip.id, barring.name))
    return usable(dataset.name, kept, omissions)


def join(datasets: Sequence[Dataset]) -> Dataset:
    """Several data sets as one; ids carry their set's name. A group of one set's test is not learned from in another.

    Raises:
        DataError: Two sets have the same name, or nothing is left.
    """
    if len({dataset.name for dataset in datasets}) < len(datasets):
        raise DataError("Two of the data sets have the same name, so that their clips cannot be told apart.")
    asked = {clip.group for dataset in datasets for clip in dataset.clips if clip.split != "train"}
    barred = Exclusion("validation and test clips of the joined sets", frozenset(asked))
    parts = [without(dataset, [barred]) for dataset in datasets]
    clips = [replace(clip, id=f"{part.name}/{clip.id}") for part in parts for clip in part.clips]
    return Dataset(" + ".join(part.name for part in parts), tuple(clips), tuple(o for p in parts for o in p.omissions))
