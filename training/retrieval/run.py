"""Runs of retrieval recipes: trained, opened again, measured.

A run's folder holds `recipe.yaml` (with every default and override), what `training.loop.fit` keeps there, and
`figures.json`: the test split's figures, and the name of the data.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from training.checkpoint import BEST_FILE, load_weights, write_whole
from training.checkpoint import FIGURES_FILE as FIGURES_FILE
from training.distributed import rank
from training.evaluate import caption_queries
from training.loop import FitResult, fit, is_finished, seed_everything
from training.recipe import RECIPE_FILE, RecipeError, check_folder, load_any, save_recipe
from training.retrieval.config import RetrievalRecipe
from training.retrieval.encoder import Places, load_text
from training.retrieval.evaluate import retrieval_report
from training.retrieval.material import RetrievalMaterial, data_name, gather
from training.retrieval.sound import Sounds, existing, open_sounds
from training.retrieval.wording import KeptWording, Wording, open_wording
from training.tasks.retrieval import RetrievalTask, Teachers

_Thing = TypeVar("_Thing")
_logger = logging.getLogger(__name__)


class Shelf:
    """What several runs in one process share: kept features that do not learn, by what they follow from."""

    def __init__(self) -> None:
        self._things: dict[str, Any] = {}

    def get(self, key: str, make: Callable[[], _Thing]) -> _Thing:
        """The thing under a key, made if it is not there."""
        if key not in self._things:
            self._things[key] = make()
        found: _Thing = self._things[key]
        return found


def build(
    recipe: RetrievalRecipe,
    places: Places,
    *,
    material: RetrievalMaterial | None = None,
    taught: bool = True,
    shelf: Shelf | None = None,
) -> RetrievalTask:
    """The task of a recipe, with fresh heads.

    Args:
        recipe: Says what.
        places: Where everything lies.
        material: Where it is known already.
        taught: Ask the teachers of a distillation, which only training needs.
        shelf: Of the process; features of frozen encoders are taken from there.

    Raises:
        KnownError: Something is missing or damaged.
    """
    seed_everything(recipe.seed)
    shelf = Shelf() if shelf is None else shelf
    if material is None:
        key = [places.data, recipe.data.sets, recipe.data.synthetic, recipe.data.learned, recipe.auxiliary]
        key += [recipe.seed] if recipe.data.learned else []
        material = shelf.get(f"material {key}", lambda: gather(recipe, places))
    sounds, wording, captions = _features(recipe, places, material, shelf)
    teachers = None
    if recipe.distillation is not None and taught:
        teachers = ask_teachers(recipe.distillation.teachers, material, places, shelf)
    # Fresh heads follow from the seed, whatever was built before them.
    seed_everything(recipe.seed)
    task = RetrievalTask(recipe, material, sounds=sounds, wording=wording, captions=captions, teachers=teachers)
    if recipe.starts_from and taught:
        load_weights(existing(recipe.starts_from, places.runs) / BEST_FILE, task.module)
    return task


def _features(
    recipe: RetrievalRecipe, places: Places, material: RetrievalMaterial, shelf: Shelf
) -> tuple[Sounds, Wording, Wording | None]:
    """Sounds, texts, and texts through the frozen caption encoder where there are auxiliary captions."""
    texts = hash(material.texts)
    sounds_key = f"sounds {recipe.audio} {recipe.needs_frames} {hash(tuple(clip.path for clip in material.clips))}"
    own = Shelf() if not recipe.audio.is_cached or recipe.audio.tuned != "none" else shelf
    sounds = own.get(sounds_key, lambda: open_sounds(recipe.audio, material.clips, places, frames=recipe.needs_frames))
    own = Shelf() if recipe.text.tuned != "none" else shelf
    words = recipe.needs_words
    wording = own.get(
        f"wording {recipe.text} {words} {texts}", lambda: open_wording(recipe.text, material.texts, places, words=words)
    )
    captions: Wording | None = None
    if recipe.auxiliary is not None:
        by_words = recipe.auxiliary.interaction and recipe.auxiliary.keys == "words"
        captions = shelf.get(
            f"captions {recipe.text} {by_words} {texts}",
            lambda: KeptWording(load_text(recipe.text, places.weights), material.texts, places, words=by_words),
        )
    return sounds, wording, captions


def ask_teachers(
    folders: Sequence[str], material: RetrievalMaterial, places: Places, shelf: Shelf | None = None
) -> Teachers:
    """What trained runs make of the training clips and of all texts.

    Raises:
        KnownError: A folder holds no finished run.
    """
    texts: list[torch.Tensor] = []
    sounds: list[torch.Tensor] = []
    for folder in folders:
        path = existing(folder, places.runs)
        teacher = open_run(path, places, material=material, shelf=shelf)
        texts.append(teacher.text_vectors(material.texts).half())
        rows = material.learned
        vectors = teacher.sound_vectors(rows).half()
        every = torch.zeros(len(material.clips), vectors.shape[1], dtype=torch.float16)
        every[rows] = vectors
        sounds.append(every)
        _logger.info("teacher %s has spoken", path.name)
    return Teachers(tuple(texts), tuple(sounds))


def open_run(
    folder: Path, places: Places, *, material: RetrievalMaterial | None = None, shelf: Shelf | None = None
) -> RetrievalTask:
    """A run with its best weights, in evaluation mode.

    Raises:
        KnownError: The folder holds no run of a retrieval recipe.
    """
    recipe = load_any(folder / RECIPE_FILE)
    if not isinstance(recipe, RetrievalRecipe):
        raise RecipeError(f"{folder} holds no run of a retrieval recipe.")
    task = build(recipe, places, material=material, taught=False, shelf=shelf)
    load_weights(folder / BEST_FILE, task.module)
    task.module.eval()
    return task


def train(
    recipe: RetrievalRecipe,
    places: Places,
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = True,
    show: bool = True,
    shelf: Shelf | None = None,
) -> tuple[RetrievalTask, FitResult]:
    """Train a recipe in a folder and measure it on the test split; a finished run is only measured.

    Raises:
        KnownError: Something is missing or damaged, the disk is full, or the loss is no number.
    """
    if resume:
        check_folder(recipe, folder)
    task = build(recipe, places, taught=not (resume and is_finished(folder)), shelf=shelf)
    if rank() == 0:
        save_recipe(recipe, folder)
    result = fit(task, config=recipe.loop, folder=folder, device=device, resume=resume, show=show)
    if rank() == 0:
        figures = {"data": data_name(recipe.data, places), **measure(task)}
        write_whole(folder / FIGURES_FILE, (json.dumps(figures, indent=2) + "\n").encode())
    return task, result


def measure(task: RetrievalTask, split: str = "test") -> dict[str, Any]:
    """All figures of a trained task on a split.

    Returns:
        By name the figures as the recipe scores, and "vector": those of one dot product for a sound and a text, without
        auxiliary captions, as the program searches.
    """
    weight = task.tune_score_weight()
    levels = task.recipe.hci is not None and task.recipe.hci.score == "levels"
    figures: dict[str, Any] = dict(task.figures(split, levels=levels))
    figures["vector"] = vector_figures(task, split)
    if weight:
        figures["score_weight"] = weight
    return figures


def vector_figures(task: RetrievalTask, split: str) -> dict[str, float]:
    """Figures of one dot product for a sound and a text, sounds heard without auxiliary captions."""
    rows = task.material.rows(split)
    queries = caption_queries([task.material.clips[row] for row in rows])
    scores = task.text_vectors(queries.texts) @ task.sound_vectors(rows, alone=True).T
    return retrieval_report(np.asarray(scores.numpy()), queries)
