"""One training run: from a recipe to heads on disk.

A run's folder holds `recipe.yaml` (with every default and override), `heads.safetensors` (`audio.*`, `text.*`) and what
`training.loop.fit` keeps there.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import ModelError
from core.types import FloatArray
from training.checkpoint import LOG_FILE as LOG_FILE
from training.checkpoint import save_weights
from training.config import ProfileLoopConfig, Recipe, load_recipe
from training.data.feature import TrunkFeatures
from training.evaluate import caption_queries, corpus_figures
from training.head import create_heads, finish_heads, finished_heads, start_heads
from training.loop import FitResult, LoopConfig, MonitorConfig, fit
from training.material import Material, training_set
from training.optim import OptimiserConfig
from training.recipe import RECIPE_FILE, check_folder, save_recipe
from training.schedule import ScheduleConfig
from training.tasks.profile import ProfileTask, as_tensor

HEADS_FILE = "heads.safetensors"
_logger = logging.getLogger(__name__)


def loop_config(config: ProfileLoopConfig) -> LoopConfig:
    """The recipe's loop as the common one."""
    return LoopConfig(
        epochs=config.epochs,
        clip_norm=config.clip_norm,
        patience=config.patience,
        optimiser=OptimiserConfig(learning_rate=config.learning_rate, weight_decay=config.weight_decay),
        schedule=ScheduleConfig(warmup_steps=config.warmup_steps),
        monitor=MonitorConfig(name="validation"),
    )


def train(recipe: Recipe, material: Material, folder: Path, *, resume: bool = True) -> FitResult:
    """Train by a recipe and write the run's folder."""
    if resume:
        check_folder(recipe, folder)
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    data = training_set(material, recipe)
    audio, text = create_heads(
        recipe.head, trunk_dimension=data.embeddings[0].shape[1], class_names=material.class_names
    )
    start_heads(audio, text, data, material.class_names, recipe.head.dimension)
    rows = material.rows("valid", recipe.data.held_out_sources)
    queries = caption_queries([material.clips[row] for row in rows])
    sentences = material.sentences(queries.texts)
    features = material.features.take(rows)

    def validate(audio_head: nn.Module, text_head: nn.Module) -> float:
        scores = embed_sentences(text_head, sentences) @ embed_features(audio_head, features).T
        return corpus_figures(scores, queries).text_to_audio.map_at_10

    task = ProfileTask(
        data,
        audio_head=audio,
        text_head=text,
        losses=recipe.losses,
        extra_batch=recipe.loop.extra_batch,
        class_name_share=recipe.data.class_name_share,
        unheard_batch=recipe.loop.unheard_batch,
        batch=recipe.loop.batch,
        rng=rng,
        validate=validate,
        average=recipe.loop.average,
    )
    save_recipe(recipe, folder)
    _logger.info("training-free start: validation %.4f", validate(audio.eval(), text.eval()))
    # The features lie on the CPU and the heads are small.
    result = fit(task, config=loop_config(recipe.loop), folder=folder, device="cpu", resume=resume)
    kept = task.kept_heads.eval()
    sounds, texts = finish_heads(kept["audio"], kept["text"], data, recipe, worn=material.worn_pairs())
    _logger.info("finished: validation %.4f", validate(sounds, texts))
    save_weights(folder / HEADS_FILE, nn.ModuleDict({"audio": sounds, "text": texts}))
    return result


def load_run(folder: Path, *, trunk_dimension: int, class_names: Tensor) -> tuple[Recipe, nn.Module, nn.Module]:
    """The recipe and the heads (sounds, texts) of a run.

    Raises:
        KnownError: The folder holds no run, or one of other towers.
    """
    recipe = load_recipe(folder / RECIPE_FILE)
    heads = finished_heads(recipe, trunk_dimension=trunk_dimension, class_names=class_names)
    try:
        state = load_file(folder / HEADS_FILE)
        for prefix, head in zip(("audio.", "text."), heads, strict=True):
            head.load_state_dict(
                {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            )
            head.eval()
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"The run in {folder} cannot be read: {error}.", "Train it again.") from error
    return recipe, *heads


@torch.inference_mode()
def embed_features(head: nn.Module, features: TrunkFeatures) -> FloatArray:
    """Sounds -> (n, d)."""
    return np.asarray(head(as_tensor(features.embedding), as_tensor(features.logits)).numpy())


@torch.inference_mode()
def embed_sentences(head: nn.Module, sentences: FloatArray) -> FloatArray:
    """Sentence embeddings (q, s) -> (q, d)."""
    return np.asarray(head(as_tensor(sentences)).numpy())
