"""Runs of captioning recipes: trained, opened again, measured.

A run's folder holds `recipe.yaml` (with every default and override), what `training.loop.fit` keeps there, and
`figures.json`: the test split's figures; `head.sha256` says by which audio head the decoder learned to hear.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.torch import save

from training.captioning.config import CaptioningRecipe
from training.captioning.evaluate import SentenceModel, references, retrieval_by_loss
from training.captioning.material import CaptionMaterial, gather, judged_scenes
from training.captioning.score import WordLoss
from training.checkpoint import BEST_FILE, load_weights, write_whole
from training.distributed import rank
from training.loop import FitResult, fit, seed_everything
from training.metrics.cider import cider_d
from training.metrics.fense import sentence_similarity
from training.metrics.lexical import vocabulary_size
from training.metrics.rouge import rouge_l
from training.perturb import accuracies, scene_contrasts
from training.recipe import RECIPE_FILE, RecipeError, check_folder, load_any, save_recipe
from training.retrieval.encoder import Places
from training.retrieval.evaluate import RECALLS
from training.retrieval.material import data_name
from training.tasks.captioning import CaptioningTask

FIGURES_FILE = "figures.json"
HEAD_FILE = "head.sha256"
_ASKED_CAPTIONS = 1


def build(recipe: CaptioningRecipe, places: Places, *, material: CaptionMaterial | None = None) -> CaptioningTask:
    """The task of a recipe, with a fresh decoder.

    Raises:
        KnownError: Something is missing or damaged.
    """
    seed_everything(recipe.seed)
    material = gather(recipe, places) if material is None else material
    # Similarities of sentences take longer than the rest of a validation.
    sentences = SentenceModel() if recipe.loop.monitor.name == "sbert_sim" else None
    return CaptioningTask(recipe, material, sentences=sentences)


def open_run(folder: Path, places: Places, *, material: CaptionMaterial | None = None) -> CaptioningTask:
    """A run with its best weights, in evaluation mode.

    Raises:
        KnownError: The folder holds no run of a captioning recipe.
    """
    recipe = load_any(folder / RECIPE_FILE)
    if not isinstance(recipe, CaptioningRecipe):
        raise RecipeError(f"{folder} holds no run of a captioning recipe.")
    task = build(recipe, places, material=material)
    _check_head(task, folder)
    load_weights(folder / BEST_FILE, task.module)
    task.module.eval()
    return task


def train(
    recipe: CaptioningRecipe,
    places: Places,
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = True,
    show: bool = True,
) -> tuple[CaptioningTask, FitResult]:
    """Train a recipe in a folder and measure it on the test split.

    Raises:
        KnownError: Something is missing or damaged, the disk is full, or the loss is no number.
    """
    if resume:
        check_folder(recipe, folder)
    task = build(recipe, places)
    if resume:
        _check_head(task, folder)
    if rank() == 0:
        save_recipe(recipe, folder)
        write_whole(folder / HEAD_FILE, _head_digest(task).encode())
    result = fit(task, config=recipe.loop, folder=folder, device=device, resume=resume, show=show)
    if rank() == 0:
        figures = {"data": data_name(recipe.data, places), **measure(task, places)}
        write_whole(folder / FIGURES_FILE, (json.dumps(figures, indent=2) + "\n").encode())
    return task, result


def _head_digest(task: CaptioningTask) -> str:
    """SHA-256 of the head that the decoder hears by; empty where there is none."""
    head = task.material.head
    return "" if head is None else hashlib.sha256(save(head.state_dict())).hexdigest()


def _check_head(task: CaptioningTask, folder: Path) -> None:
    """A decoder understands one head's embeddings alone; runs of before this was noted down are believed.

    Raises:
        RecipeError: The search model that ships is not the one that the run was trained beside.
    """
    noted = folder / HEAD_FILE
    if noted.exists() and noted.read_text("utf-8") != _head_digest(task):
        raise RecipeError(f"The run in {folder} was trained beside another search model.", "Train it again.")


def measure(
    task: CaptioningTask, places: Places, split: str = "test", *, asked: int | None = _ASKED_CAPTIONS
) -> dict[str, float]:
    """Figures of a trained captioner on a split.

    Captions by beam search against the references; retrieval by the loss, raw and scaled; perturbation accuracies on
    scenes of the split's clips where the recipe makes scenes.

    Args:
        task: Trained.
        places: Where everything lies.
        split: Which.
        asked: So many captions of each clip are asked for in retrieval; None: all.
    """
    material, vocabulary = task.material, task.material.vocabulary
    rows = material.rows(split)
    written = task.write(rows, beams=task.recipe.writing.beams)
    theirs = references(material, rows)
    figures = {
        "cider_d": cider_d(written, theirs).corpus,
        "rouge_l": rouge_l(written, theirs).corpus,
        "sbert_sim": sentence_similarity(written, theirs, SentenceModel()).corpus,
        "words": float(vocabulary_size(written)),
    }
    found = retrieval_by_loss(task.decoder, vocabulary, material, rows, captions=asked)
    for prefix, recalls in (
        ("", found.text_to_audio),
        ("a2t_", found.audio_to_text_scaled),
        ("a2t_unscaled_", found.audio_to_text),
    ):
        figures |= {f"{prefix}{name}": value for name, value in zip(RECALLS, recalls, strict=True)}
    if task.recipe.scenes.count:
        made = judged_scenes(task.recipe, places, material, split)
        _, tests = scene_contrasts(made.scenes, material.clips, np.random.default_rng([task.recipe.seed, 17]))
        outcome = accuracies(WordLoss(task.decoder, vocabulary, made.sounds), tests)
        figures |= {name: accuracy.share for name, accuracy in outcome.items()}
    return figures
