"""From a run to a model folder that the core opens: weights, background, calibration, figures, card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from core.encoders.assembly import DualEncoderParts, save_dual_encoder
from core.encoders.card import Calibration, LogisticFit, ModelCard
from core.encoders.relevance import Relevance
from core.types import FloatArray
from training.calibrate import (
    CLIP_WHITENING,
    CalibrationFigures,
    clip_examples,
    example_turn,
    fit_logistic,
    same_category,
    same_concept,
)
from training.claim import CONTEST_LEAD, fit_texts, names_of_nothing
from training.config import Recipe
from training.data.licence import data_sources
from training.data.manifest import Clip
from training.evaluate import caption_queries
from training.head import head_specs
from training.material import Material
from training.measure import MODEL, ONE_VECTOR, TRAINING_FREE, Scorer, Scoring, calibration_on_test, scoring
from training.run import embed_features, embed_sentences, load_run
from training.start import one_vector_scores, text_profile, training_free_scores
from training.tasks.profile import as_tensor
from training.tower import TEXT_TOWER, Towers, text_tower_options

_TRAIN = "python -m training train earshot-base --out RUN && python -m training export RUN --model MODEL"
_EVALUATE = "python -m training evaluate MODEL"
# In eight bits they change next to nothing (docs/models.md), and the files are a fifth smaller.
_LARGEST = ("tower.bert.embeddings.word_embeddings.weight", "head.learned.residual.0.weight", "head.residual.0.weight")


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a run.

    Attributes:
        scorings: By name: the model's and those of scoring without training.
        calibration: On the test split, at a relevance of one half; None before it was fitted.
    """

    scorings: Mapping[str, Scoring]
    calibration: CalibrationFigures | None = None


class TrainedRun:
    """A run's heads over the material that they were trained on.

    Args:
        recipe: The run's.
        material: The corpus through the frozen towers.
        audio_head: For sounds.
        text_head: For texts.
    """

    def __init__(self, recipe: Recipe, material: Material, audio_head: nn.Module, text_head: nn.Module) -> None:
        self.recipe = recipe
        self.material = material
        self.audio_head = audio_head
        self.text_head = text_head
        self._number = {clip.id: row for row, clip in enumerate(material.clips)}

    def sounds(self, clips: Sequence[Clip]) -> FloatArray:
        """Embeddings (n, d) of clips of the material."""
        return embed_features(self.audio_head, self.material.features.take(self._numbers(clips)))

    def texts(self, texts: Sequence[str]) -> FloatArray:
        """Embeddings (q, d) of texts."""
        return embed_sentences(self.text_head, self.material.sentences(texts))

    def __call__(self, texts: Sequence[str], clips: Sequence[Clip]) -> FloatArray:
        """Scores (q, n)."""
        return np.asarray(self.texts(texts) @ self.sounds(clips).T)

    def _numbers(self, clips: Sequence[Clip]) -> list[int]:
        return [self._number[clip.id] for clip in clips]

    def background(self) -> FloatArray:
        """Embeddings of training clips, drawn by the seed, as they will be stored."""
        rng = np.random.default_rng(self.recipe.seed)
        learned = np.asarray(self.material.learned)
        rows = rng.choice(learned, size=min(self.recipe.data.background, len(learned)), replace=False)
        clips = [self.material.clips[row] for row in sorted(rows.tolist())]
        return self.sounds(clips).astype(np.float16).astype(np.float32)

    def example_turn(self) -> FloatArray:
        """What examples are turned by, from all that was learned from and worn copies of some of it."""
        originals, copies = (embed_features(self.audio_head, seen) for seen in self.material.worn_pairs())
        learned = self.material.features.take(self.material.learned)
        return example_turn(embed_features(self.audio_head, learned), copies, originals)

    def calibrated(self, background: FloatArray, turn: FloatArray) -> Calibration:
        """Fitted on the validation split and every other absurd query."""
        rows = self.material.rows("valid", self.recipe.data.held_out_sources)
        clips = [self.material.clips[row] for row in rows]
        queries, vectors = caption_queries(clips), self.sounds(clips)
        neutral = Relevance(_neutral(), background, turn=turn)
        absent = names_of_nothing(self.material.names, clips)
        frames = self.recipe.data.class_name_frames or ("{}",)
        text = fit_texts(
            neutral,
            vectors,
            captions=self.texts(queries.texts),
            absent=self.texts([frame.format(name) for frame in frames for name in absent]),
            absurd=self.texts(self.recipe.absurd_queries[::2]),
            fits=same_concept(clips, queries),
            kin=same_category(clips, queries),
            kept=self.recipe.kept_matches,
        )
        return _neutral().model_copy(
            update={"text": text, "clip": fit_logistic(clip_examples(neutral, vectors, clips))}
        )

    def report(self, relevance: Relevance | None = None) -> Report:
        """All figures on the test split and on held-out sources."""
        clips, recipe = self.material.clips, self.recipe
        scorers: dict[str, Scorer] = {
            TRAINING_FREE: partial(self._training_free, one_vector=False),
            ONE_VECTOR: partial(self._training_free, one_vector=True),
            MODEL: self,
        }
        return Report(
            {name: scoring(scorer, clips, recipe) for name, scorer in scorers.items()},
            None if relevance is None else calibration_on_test(self, relevance, clips, recipe),
        )

    def _training_free(self, texts: Sequence[str], clips: Sequence[Clip], *, one_vector: bool) -> FloatArray:
        sentence = as_tensor(self.material.sentences(texts))
        logits = as_tensor(self.material.features.take(self._numbers(clips)).logits)
        names = self.material.class_names
        if one_vector:
            return np.asarray(one_vector_scores(sentence, names, logits).numpy())
        profiles = text_profile(sentence, names, temperature=self.recipe.head.temperature)
        return np.asarray(training_free_scores(profiles, logits).numpy())


def open_run(folder: Path, material: Material) -> TrainedRun:
    """A run from its folder.

    Raises:
        KnownError: The folder holds no run, or one of other towers.
    """
    dimension = material.features.embedding.shape[1]
    recipe, audio_head, text_head = load_run(folder, trunk_dimension=dimension, class_names=material.class_names)
    return TrainedRun(recipe, material, audio_head, text_head)


def _neutral() -> Calibration:
    plain = LogisticFit(score=1.0, surprise=0.0, bias=0.0)
    return Calibration(text=plain, clip=plain, clip_whitening=CLIP_WHITENING, contest_lead=CONTEST_LEAD)


def export(run: TrainedRun, towers: Towers, folder: Path) -> tuple[ModelCard, Report]:
    """Calibrate, measure and write a model folder."""
    background = run.background()
    turn = run.example_turn()
    calibration = run.calibrated(background, turn)
    report = run.report(Relevance(calibration, background, turn=turn))
    parts = DualEncoderParts(
        trunk=towers.trunk,
        audio_head=run.audio_head,
        text_tower=towers.text,
        text_head=run.text_head,
        tokenizer=towers.tokenizer,
        background=as_tensor(background),
        example_turn=as_tensor(turn),
        eight_bits=_LARGEST,
    )
    return save_dual_encoder(folder, parts, _card_fields(run, towers, calibration, report)), report


def _card_fields(run: TrainedRun, towers: Towers, calibration: Calibration, report: Report) -> dict[str, Any]:
    recipe, material = run.recipe, run.material
    classes, sentence = material.class_names.shape
    trunk_dimension = material.features.embedding.shape[1]
    audio_head, text_head = head_specs(recipe, trunk_dimension=trunk_dimension, classes=classes, sentence=sentence)
    learned = [material.clips[row] for row in material.learned]
    return {
        **recipe.identity.model_dump(),
        "data": [*recipe.starts_from, *data_sources(learned, what="Described sounds of free projects")],
        "architecture": {
            "trunk": {
                "name": recipe.trunk.name,
                "options": recipe.trunk.options,
            },
            "text_tower": {"name": TEXT_TOWER, "options": text_tower_options(towers.text)},
            "audio_head": audio_head.model_dump(),
            "text_head": text_head.model_dump(),
        },
        "sample_rate_hz": 32000,
        "window_s": recipe.trunk.window_s,
        "hop_s": recipe.trunk.hop_s,
        "shortest_s": recipe.trunk.shortest_s,
        "quality": _quality(report),
        "calibration": calibration,
        "seed": recipe.seed,
        "command": _TRAIN,
    }


def _quality(report: Report) -> dict[str, dict[str, Any]]:
    own, free = report.scorings[MODEL], report.scorings[TRAINING_FREE]
    calibration = report.calibration
    assert calibration is not None  # Exporting has measured it.
    figures = {
        "test_map_at_10": (own.corpus.text_to_audio.map_at_10, "test split of the corpus, captions to sounds"),
        "test_hit_at_1": (own.corpus.text_to_audio.hit_at_1, ""),
        "test_hit_at_5": (own.corpus.text_to_audio.hit_at_5, ""),
        "test_hit_at_10": (own.corpus.text_to_audio.hit_at_10, ""),
        "test_audio_to_text_map_at_10": (own.corpus.audio_to_text.map_at_10, "the mirror image"),
        "test_map_at_10_training_free": (free.corpus.text_to_audio.map_at_10, "for comparison"),
        "outside_map": (
            own.outside.mean_average_precision,
            f"{own.outside.clips} clips of ten everyday classes, from sources never learned from; labels by rules "
            "over titles and captions, so noisy: compare with the training-free figure",
        ),
        "outside_accuracy": (own.outside.accuracy, "zero-shot, the same clips"),
        "outside_map_training_free": (free.outside.mean_average_precision, "for comparison"),
        "outside_accuracy_training_free": (free.outside.accuracy, "for comparison"),
        "test_kept": (calibration.kept, "true matches in the top five with a relevance of .5 or more"),
        "test_false_claims": (calibration.false_claims, "queries whose sound is absent, yet answered"),
        "absurd_claims": (calibration.absurd_claims, "absurd queries answered, those that the fit has not seen"),
    }
    return {
        name: {"value": round(value, 4), "command": _EVALUATE, "note": note} for name, (value, note) in figures.items()
    }
