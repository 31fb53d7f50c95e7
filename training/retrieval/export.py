"""From a run of a published recipe to a model folder that the program opens.

The program compares one vector for each window of a sound with one vector for each text. That is what an exported model
does, whatever its recipe scores by: with text-aware pooling sounds are pooled as the mean training caption would, with
hierarchical interaction clip and sentence alone are compared, and where frames listen to a generated caption they hear
the mean caption of the training sounds. The figures on the card are measured so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from core.encoders.assembly import DualEncoderParts, save_dual_encoder
from core.encoders.card import Calibration, LogisticFit, ModelCard
from core.encoders.efficientat import MobileNetEncoder
from core.encoders.load import load_dual_encoder
from core.encoders.relevance import Relevance
from core.encoders.text import PREPARATIONS, TextEncoder, TransformerTower
from core.errors import KnownError
from core.types import FloatArray
from training.calibrate import (
    Examples,
    absurd_examples,
    clip_examples,
    fit_logistic,
    join,
    lowered,
    put_to,
    repeated,
    same_category,
    same_concept,
)
from training.config import load_recipe
from training.data.dataset import Clip
from training.data.licence import data_sources
from training.evaluate import caption_queries
from training.metrics.retrieval import BoolArray
from training.recipe import recipe_path
from training.retrieval.encoder import AnyText, BundledText, Places, tokenizer_definition
from training.retrieval.model import audio_head_options, text_head_options
from training.retrieval.run import vector_figures
from training.tasks.retrieval import RetrievalTask
from training.tower import text_tower_options

_BACKGROUND = 512
_logger = logging.getLogger(__name__)
_NEUTRAL = Calibration(
    text=LogisticFit(score=1.0, surprise=0.0, bias=0.0), clip=LogisticFit(score=1.0, surprise=0.0, bias=0.0)
)


class ExportError(KnownError):
    """A run cannot become a model."""


def export(
    task: RetrievalTask,
    places: Places,
    folder: Path,
    *,
    name: str,
    version: str = "1.0.0",
    description: str | None = None,
) -> ModelCard:
    """Write the model of a trained task, calibrated on its validation split.

    Args:
        task: With its best weights.
        places: Where the text encoder's tokenizer is.
        folder: For the model.
        name: Of the model: lower-case words with hyphens or dots.
        version: Three numbers.
        description: A line about it; None: that of its recipe.

    Raises:
        ExportError: The model finds too little to be calibrated, or its tokenizer is missing.
    """
    recipe = task.recipe
    tokenizer = tokenizer_definition(recipe.text, places.weights)
    background = _background(task)
    parts = DualEncoderParts(
        trunk=_trunk(task),
        audio_head=task.model.audio_head,
        text_tower=_text_tower(task.model.wording.encoder()),
        text_head=task.model.text_head,
        tokenizer=tokenizer,
        background=torch.from_numpy(background),
    )
    fields = _card_fields(task, name, version) | ({} if description is None else {"description": description})
    # Texts that the run has never seen are read as the program will read them: by the model itself.
    save_dual_encoder(folder, parts, {**fields, "calibration": _NEUTRAL, "quality": {}})
    calibration = _calibration(task, folder, background)
    figures = {
        f"test_{figure}": {
            "value": round(value, 4),
            "command": "python -m training evaluate RUN",
            "note": "test split of its own data, one vector for a sound and a text",
        }
        for figure, value in vector_figures(task, "test").items()
    }
    return save_dual_encoder(folder, parts, {**fields, "calibration": calibration, "quality": figures})


def _trunk(task: RetrievalTask) -> nn.Module:
    encoder = task.model.sounds.encoder()
    if isinstance(encoder, MobileNetEncoder) and not task.model.audio_head.needs_frames:
        return encoder.trunk
    return encoder


def _text_tower(encoder: AnyText) -> nn.Module:
    if isinstance(encoder, BundledText):
        return encoder.tower
    tower = TransformerTower(**_tower_options(encoder))
    tower.model.load_state_dict(encoder.model.state_dict())
    return tower


def _tower_options(encoder: TextEncoder) -> dict[str, Any]:
    settings = encoder.model.config.to_dict()  # type: ignore[union-attr,operator]
    plain = (str, int, float, bool)
    kept = {key: value for key, value in settings.items() if isinstance(value, plain) and not key.startswith("_")}
    for left_out in ("transformers_version", "dtype", "torch_dtype"):
        kept.pop(left_out, None)
    preparation = next(name for name, prepare in PREPARATIONS.items() if prepare is encoder.config.prepare)
    return {
        "settings": kept,
        "pooling": encoder.config.pooling,
        "longest_tokens": encoder.config.max_tokens,
        "preparation": preparation,
    }


def _background(task: RetrievalTask) -> FloatArray:
    learned = task.material.learned
    rng = np.random.default_rng(task.recipe.seed)
    rows = np.sort(rng.choice(learned, size=min(_BACKGROUND, len(learned)), replace=False))
    vectors = task.sound_vectors(rows, alone=True).numpy()
    return np.asarray(vectors.astype(np.float16).astype(np.float32))


def _calibration(task: RetrievalTask, folder: Path, background: FloatArray) -> Calibration:
    rows = task.material.rows("valid")
    # Sets without categories: a sound's kin are its own takes.
    clips = [replace(clip, category=clip.category or clip.group or clip.id) for clip in _clips(task, rows)]
    queries = caption_queries(clips)
    texts = np.asarray(task.text_vectors(queries.texts).numpy())
    vectors = np.asarray(task.sound_vectors(rows, alone=True).numpy())
    fits, kin = same_concept(clips, queries), same_category(clips, queries)
    shipped = load_recipe(recipe_path("earshot-base"))
    absurd = load_dual_encoder(folder, device="cpu").embed_text(shipped.absurd_queries[::2])
    neutral = Relevance(_NEUTRAL, background)
    known, unheard = put_to(neutral, texts, vectors, fits=fits, kin=kin), absurd_examples(neutral, absurd, vectors)
    times = max(1, int((~known.matches).sum()) // (3 * max(1, len(unheard.matches))))
    try:
        text = lowered(fit_logistic(join(known, repeated(unheard, times))), known, kept=shipped.kept_matches)
    except ValueError:
        _logger.warning("the model seldom puts a true match first; its relevance is calibrated on all pairs")
        text = _fit_pairs(neutral, texts, vectors, fits, kin)
    try:
        clip = fit_logistic(clip_examples(neutral, vectors, clips))
    except ValueError as error:
        # Without several takes of a sound nothing tells how alike two takes are; texts have to stand in.
        _logger.warning("queries by example are calibrated as texts are: %s", error)
        clip = text
    return Calibration(text=text, clip=clip)


def _fit_pairs(
    neutral: Relevance, texts: FloatArray, vectors: FloatArray, fits: BoolArray, kin: BoolArray
) -> LogisticFit:
    """A fit on every pair that fits or is no kin, for models that are too weak for the stricter one."""
    features = np.stack([neutral.features(text, vectors @ text) for text in texts])
    counts = fits | ~kin
    try:
        return fit_logistic(Examples(features[counts], fits[counts]))
    except ValueError as error:
        raise ExportError(
            f"The model cannot be calibrated: {error}.",
            "It needs validation sounds of several kinds, and has to find some of them: train it longer.",
        ) from error


def _clips(task: RetrievalTask, rows: Sequence[int] | np.ndarray) -> list[Clip]:
    return [task.material.clips[row] for row in rows]


def _card_fields(task: RetrievalTask, name: str, version: str) -> dict[str, Any]:
    recipe, model = task.recipe, task.model
    encoder = model.wording.encoder()
    if isinstance(encoder, BundledText):
        tower = {"name": "minilm-l6", "options": text_tower_options(encoder.tower)}
    else:
        tower = {"name": "transformer", "options": _tower_options(encoder)}
    paper = "" if recipe.paper is None else f" after {recipe.paper.paper}"
    audio = recipe.audio
    caption_inputs = model.audio_head.mean_caption.shape[1] if model.listens else 0
    return {
        "name": name,
        "version": version,
        "description": recipe.description,
        "origin": f"Trained with python -m training{paper}; audio encoder {audio.encoder} "
        f"({audio.checkpoint or 'fresh parameters'}, tuned: {audio.tuned}), text encoder {recipe.text.encoder} "
        f"({recipe.text.folder}, tuned: {recipe.text.tuned}).",
        "licence": "of its data and encoders: see there",
        "data": data_sources(_clips(task, task.material.learned)),
        "architecture": {
            "trunk": {"name": audio.encoder, "options": audio.options},
            "text_tower": tower,
            "audio_head": {
                "name": "retrieval",
                "options": audio_head_options(recipe, model.sounds.dimension, caption_inputs),
            },
            "text_head": {"name": "retrieval", "options": text_head_options(recipe, model.wording.dimension)},
        },
        "sample_rate_hz": int(model.sounds.encoder().sample_rate_hz),  # type: ignore[arg-type]
        "window_s": audio.seconds,
        "hop_s": audio.seconds / 2,
        "shortest_s": audio.shortest_s,
        "seed": recipe.seed,
        "command": "python -m training train RECIPE --out RUN && python -m training export RUN",
    }
