"""What a retrieval run learns from and is judged by: clips, captions, and who belongs to whom.

Shape legend: n clips, k captions, m captions of the clip that has most, b batch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.errors import KnownError
from core.types import IntArray
from training.data.dataset import Clip, Dataset
from training.data.layout import join, load_dataset
from training.data.synthetic import read_synthetic
from training.retrieval.config import DataPart, RetrievalRecipe
from training.retrieval.encoder import Places
from training.retrieval.sound import existing

CAPTIONS_FILE = "captions.jsonl"


class MaterialError(KnownError):
    """What a recipe asks for is not there."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """Who belongs to whom, by numbers.

    Attributes:
        captions: (n, m) numbers of each clip's captions, -1 where it has fewer.
        groups: (n,) clips of one group are takes of one sound.
    """

    captions: Tensor
    groups: Tensor

    def matches(self, captions: Tensor, of_text: Tensor, clips: Tensor) -> Tensor:
        """(q, b) True where a clip carries those very words, or is of the group of the clip that the text is of.

        Args:
            captions: (q,) numbers of texts.
            of_text: (q,) the clip that each text was drawn for.
            clips: (b,) numbers of clips.
        """
        own = self.captions.to(clips.device)[clips]
        carried = (own[None] == captions[:, None, None]).any(dim=2)
        groups = self.groups.to(clips.device)
        return carried | (groups[of_text][:, None] == groups[clips][None])


@dataclass(frozen=True, slots=True)
class RetrievalMaterial:
    """Clips and texts.

    Attributes:
        clips: All n of them, of every split.
        texts: All k distinct texts; captions first, then generated ones.
        captions: For each clip the numbers of its captions.
        generated: (n,) number of the text that was generated for each clip; -1: none.
        learned: Clips that are learned from.
        belonging: Of clips and captions.
    """

    clips: tuple[Clip, ...]
    texts: tuple[str, ...]
    captions: tuple[tuple[int, ...], ...]
    generated: IntArray
    learned: IntArray
    belonging: Belonging

    def rows(self, split: str) -> IntArray:
        """Numbers of a split's clips."""
        return np.asarray([row for row, clip in enumerate(self.clips) if clip.split == split], dtype=np.int64)


def read_sets(data: DataPart, places: Places) -> tuple[Clip, ...]:
    """The clips of a recipe's data sets.

    Raises:
        KnownError: One cannot be read, or a split is empty.
    """
    parts: list[Dataset] = []
    for one in data.sets:
        exclude = [name if name == "none" else str(places.data / name) for name in one.exclude]
        dataset = load_dataset(places.data / one.folder, layout=one.layout, version=one.version, exclude=exclude)
        kept = tuple(clip for clip in dataset.clips if clip.split in one.splits)
        parts.append(replace(dataset, clips=kept))
    clips = parts[0].clips if len(parts) == 1 else join(parts).clips
    for split in ("train", "valid", "test"):
        if not any(clip.split == split for clip in clips):
            what = {"train": "learn from", "valid": "validate with", "test": "test with"}[split]
            raise MaterialError(
                f"There is no sound to {what} in {places.data} (split {split}).",
                "Give each of the splits train, valid and test a few sounds.",
            )
    return clips


def data_name(data: DataPart, places: Places) -> str:
    """What a recipe's data sets are called, for tables: the names of their folders."""
    names = [places.data.resolve().name if one.folder == "." else one.folder for one in data.sets]
    return " + ".join(dict.fromkeys(names))


def gather(recipe: RetrievalRecipe, places: Places) -> RetrievalMaterial:
    """Read a recipe's data sets, synthetic captions and auxiliary captions.

    Raises:
        KnownError: Something is missing or damaged.
    """
    clips = read_sets(recipe.data, places)
    if recipe.data.synthetic:
        more = read_synthetic(existing(recipe.data.synthetic, places.runs))
        clips = tuple(
            replace(clip, captions=(*clip.captions, *more[clip.id].captions))
            if clip.split == "train" and clip.id in more
            else clip
            for clip in clips
        )
    written: dict[str, str] = {}
    if recipe.auxiliary is not None:
        written = read_generated(existing(recipe.auxiliary.captions, places.runs))
        missing = [clip.id for clip in clips if clip.id not in written]
        if missing:
            raise MaterialError(
                f"There is no auxiliary caption for {len(missing)} clips, the first of them {missing[0]}.",
                "Train a recipe of the task auxiliary-captions on the same data, or take them out of the recipe.",
            )
    learned = learned_rows(clips, recipe.data, recipe.seed)
    return number(clips, learned, written, augmented=recipe.auxiliary is not None and recipe.auxiliary.augmentation)


def learned_rows(clips: Sequence[Clip], data: DataPart, seed: int) -> IntArray:
    """Numbers of the clips that are learned from."""
    rows = np.asarray([row for row, clip in enumerate(clips) if clip.split == "train"], dtype=np.int64)
    if data.learned is None or data.learned >= len(rows):
        return rows
    return np.sort(np.random.default_rng([seed, 7]).permutation(rows)[: data.learned])


def number(clips: Sequence[Clip], learned: IntArray, written: dict[str, str], *, augmented: bool) -> RetrievalMaterial:
    """Give texts and groups their numbers.

    Args:
        clips: All of them.
        learned: Numbers of those that are learned from.
        written: Generated captions by clip id.
        augmented: Count a clip's generated caption among its own, where it is learned from.
    """
    numbers: dict[str, int] = {}
    for clip in clips:
        for caption in clip.captions:
            numbers.setdefault(caption, len(numbers))
    for caption in written.values():
        numbers.setdefault(caption, len(numbers))
    learns = set(learned.tolist())
    captions: list[tuple[int, ...]] = []
    for row, clip in enumerate(clips):
        own = [numbers[caption] for caption in clip.captions]
        if augmented and row in learns and clip.id in written:
            own.append(numbers[written[clip.id]])
        captions.append(tuple(dict.fromkeys(own)))
    generated = [numbers[written[clip.id]] if clip.id in written else -1 for clip in clips]
    groups: dict[str, int] = {}
    group_of = [groups.setdefault(clip.group or f"{clip.id} alone", len(groups)) for clip in clips]
    padded = np.full((len(clips), max(map(len, captions))), -1, dtype=np.int64)
    for row, own_numbers in enumerate(captions):
        padded[row, : len(own_numbers)] = own_numbers
    return RetrievalMaterial(
        tuple(clips),
        tuple(numbers),
        tuple(captions),
        np.asarray(generated, dtype=np.int64),
        learned,
        Belonging(torch.from_numpy(padded), torch.tensor(group_of)),
    )


def read_generated(path: Path) -> dict[str, str]:
    """Generated captions by clip id, from a file or the folder that holds it.

    Raises:
        MaterialError: There is none, or it is damaged.
    """
    file = path / CAPTIONS_FILE if path.is_dir() else path
    found: dict[str, str] = {}
    try:
        # Not `splitlines`: a caption may hold other characters that end a line.
        for line in file.read_text(encoding="utf-8-sig").split("\n"):
            if line.strip():
                content = json.loads(line)
                found[str(content["id"])] = str(content["caption"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MaterialError(f"The captions {file} cannot be read: {error!r}.") from error
    return found
