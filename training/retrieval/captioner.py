"""Auxiliary captions from data to file: trains their captioner and lets it describe every clip."""

from __future__ import annotations

import json
from pathlib import Path

from training.checkpoint import write_whole
from training.distributed import rank
from training.loop import FitResult, fit, seed_everything
from training.recipe import check_folder, save_recipe
from training.retrieval.config import AuxiliaryRecipe
from training.retrieval.encoder import Places
from training.retrieval.material import CAPTIONS_FILE, learned_rows, number, read_sets
from training.retrieval.sound import open_sounds
from training.tasks.auxiliary_caption import AuxiliaryCaptionTask


def write_captions(
    recipe: AuxiliaryRecipe,
    places: Places,
    folder: Path,
    *,
    device: str = "auto",
    resume: bool = True,
    show: bool = True,
) -> FitResult:
    """Train the captioner in a folder and write `captions.jsonl` there: one line `{"id", "caption"}` a clip.

    As in the paper the captioner learns from the training clips, and describes them as well as the others.

    Raises:
        KnownError: Something is missing or damaged, the disk is full, or the loss is no number.
    """
    if resume:
        check_folder(recipe, folder)
    seed_everything(recipe.seed)
    clips = read_sets(recipe.data, places)
    material = number(clips, learned_rows(clips, recipe.data, recipe.seed), {}, augmented=False)
    sounds = open_sounds(recipe.audio, clips, places, frames=True)
    task = AuxiliaryCaptionTask(recipe, material, sounds)
    if rank() == 0:
        save_recipe(recipe, folder)
    result = fit(task, config=recipe.loop, folder=folder, device=device, resume=resume, show=show)
    if rank() == 0:
        lines = [json.dumps({"id": key, "caption": text}, ensure_ascii=False) for key, text in task.write().items()]
        write_whole(folder / CAPTIONS_FILE, ("\n".join(lines) + "\n").encode())
    return result
