"""The model that ships does on real sounds what its card says, and what is demanded of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from core.config import RESOURCES
from core.encoders.load import load_dual_encoder, load_relevance
from training.calibrate import CalibrationFigures
from training.config import Recipe, load_recipe, recipe_path
from training.data.manifest import read_manifest
from training.measure import EncoderEmbedder, Scoring, TrainingFreeScorer, calibration_on_test, scoring
from training.outside import OutsideFigures, outside_figures, outside_set
from training.tower import model_towers

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

_MODEL = RESOURCES / "models" / "earshot-base"
# Shorter ones are effects of games that the tagger was never trained on; the labels are by rules.
_SHORTEST_S = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    model: Scoring
    everyday: OutsideFigures
    training_free: Scoring
    calibration: CalibrationFigures


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(recipe_path("earshot-base"))


@pytest.fixture(scope="module")
def measured(corpus_folder: Path, recipe: Recipe, one_thread: None) -> Measured:
    clips = read_manifest(corpus_folder)
    embedder = EncoderEmbedder(load_dual_encoder(_MODEL, device="cpu"))
    towers, head = model_towers(_MODEL)
    free = TrainingFreeScorer(towers, head.class_names, recipe)
    long_enough = [clip for clip in clips if clip.duration_s >= _SHORTEST_S]
    outside = outside_set(long_enough, recipe.data.held_out_sources, recipe.outside)
    return Measured(
        scoring(embedder, clips, recipe),
        outside_figures(embedder(outside.queries, outside.clips), outside.labels, outside.owners),
        scoring(free, clips, recipe),
        calibration_on_test(embedder, load_relevance(_MODEL), clips, recipe),
    )


def test_that_training_pays_on_the_test_split(measured: Measured) -> None:
    trained = measured.model.corpus.text_to_audio.map_at_10
    assert trained >= 2.0 * measured.training_free.corpus.text_to_audio.map_at_10
    assert trained >= 2.0 * 0.124


def test_that_sounds_find_their_captions_better_than_without_training(measured: Measured) -> None:
    trained, free = measured.model.corpus.audio_to_text, measured.training_free.corpus.audio_to_text
    assert trained.map_at_10 >= 1.5 * free.map_at_10


def test_that_breadth_is_kept_on_sources_never_learned_from(measured: Measured) -> None:
    trained, free = measured.model.outside, measured.training_free.outside
    assert trained.clips >= 100
    assert trained.mean_average_precision >= free.mean_average_precision
    assert trained.accuracy >= free.accuracy


def test_that_everyday_sounds_of_a_second_and_more_are_found_and_named(measured: Measured) -> None:
    assert measured.everyday.clips >= 100
    assert measured.everyday.mean_average_precision >= 0.93
    assert measured.everyday.accuracy >= 0.93


def test_that_the_card_tells_the_measured_figures(measured: Measured) -> None:
    quality = load_dual_encoder(_MODEL, device="cpu").card.quality
    figures = {
        "test_map_at_10": measured.model.corpus.text_to_audio.map_at_10,
        "test_audio_to_text_map_at_10": measured.model.corpus.audio_to_text.map_at_10,
        "test_map_at_10_training_free": measured.training_free.corpus.text_to_audio.map_at_10,
        "outside_map": measured.model.outside.mean_average_precision,
        "outside_accuracy": measured.model.outside.accuracy,
        "test_kept": measured.calibration.kept,
        "test_false_claims": measured.calibration.false_claims,
    }
    for name, figure in figures.items():
        assert quality[name].value == pytest.approx(figure, abs=0.01), name


def test_that_no_clip_of_a_held_out_source_is_among_what_the_card_lists(recipe: Recipe, corpus_folder: Path) -> None:
    clips = read_manifest(corpus_folder)
    learnable = sum(clip.split == "train" and clip.source not in recipe.data.held_out_sources for clip in clips)
    listed = sum(
        source.items
        for source in load_dual_encoder(_MODEL, device="cpu").card.data
        if source.name.startswith("Described sounds")
    )
    assert 0.95 * learnable <= listed <= learnable
