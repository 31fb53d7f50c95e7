from __future__ import annotations

import numpy as np
import pytest

from core.encoders.card import Calibration, LogisticFit
from core.encoders.relevance import Relevance

TEXT = LogisticFit(score=4.0, surprise=0.5, bias=-2.0)
CLIP = LogisticFit(score=8.0, surprise=0.0, bias=-6.0)
BACKGROUND = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, -0.6]], dtype=np.float32)
QUERY = np.array([0.6, 0.8], dtype=np.float32)


@pytest.fixture
def relevance() -> Relevance:
    return Relevance(Calibration(text=TEXT, clip=CLIP), BACKGROUND)


def test_that_it_is_the_logistic_function_of_score_and_surprise(relevance: Relevance) -> None:
    against = np.array([0.6, 0.8, 1.0, 0.0])
    z = (0.9 - against.mean()) / against.std()
    expected = 1 / (1 + np.exp(-(4.0 * 0.9 + 0.5 * z - 2.0)))
    assert relevance.relevance(QUERY, np.array([0.9], dtype=np.float32), "text")[0] == pytest.approx(expected, rel=1e-5)


def test_that_texts_and_clips_have_their_own_calibration(relevance: Relevance) -> None:
    scores = np.array([0.75], dtype=np.float32)
    assert relevance.relevance(QUERY, scores, "clip")[0] == pytest.approx(0.5, abs=1e-6)
    assert relevance.relevance(QUERY, scores, "text")[0] > 0.6


def test_that_the_order_of_scores_is_kept_and_stays_within_zero_and_one(relevance: Relevance) -> None:
    values = relevance.relevance(QUERY, np.linspace(-1, 1, 41, dtype=np.float32), "text")
    assert (np.diff(values) > 0).all()
    assert values.min() >= 0
    assert values.max() <= 1
    extreme = relevance.relevance(QUERY, np.array([-1e4, 1e4], dtype=np.float32), "text")
    np.testing.assert_array_equal(extreme, [0.0, 1.0])


def test_that_a_query_as_similar_to_everything_stays_finite(relevance: Relevance) -> None:
    flat = Relevance(Calibration(text=TEXT, clip=CLIP), np.tile(QUERY, (3, 1)))
    assert np.isfinite(flat.log_odds(QUERY, np.array([0.2, 1.0], dtype=np.float32), "text")).all()


def test_that_a_background_of_one_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="background"):
        Relevance(Calibration(text=TEXT, clip=CLIP), BACKGROUND[:1])


def test_that_an_example_is_compared_by_what_is_special_about_it() -> None:
    rng = np.random.default_rng(0)
    # All sounds point one way, and differ in one direction that says nothing about what they are.
    common, loud, kind = np.eye(3, dtype=np.float32)
    background = common + rng.normal(0, 0.6, (200, 1)) * loud + rng.normal(0, 0.1, (200, 1)) * kind
    background = (background / np.linalg.norm(background, axis=1, keepdims=True)).astype(np.float32)
    example, take, stranger = (
        (vector / np.linalg.norm(vector)).astype(np.float32)
        for vector in (common + 0.5 * loud + 0.5 * kind, common - 0.1 * loud + 0.5 * kind, common + 0.4 * loud)
    )
    calibration = Calibration(text=TEXT, clip=CLIP, clip_whitening=0.5)
    turned = Relevance(calibration, background).example(example)
    assert example @ take < example @ stranger
    assert turned @ take > turned @ stranger
    assert np.linalg.norm(turned) == pytest.approx(1.0, abs=1e-5)
    plain = Relevance(Calibration(text=TEXT, clip=CLIP), background)
    np.testing.assert_array_equal(plain.example(example), example)


def test_that_a_model_turns_examples_its_own_way_where_it_turns_them_at_all() -> None:
    rng = np.random.default_rng(0)
    dimension = BACKGROUND.shape[1]
    turn = rng.normal(size=(dimension, dimension)).astype(np.float32)
    calibration = Calibration(text=TEXT, clip=CLIP, clip_whitening=0.5)
    expected = (QUERY - BACKGROUND.mean(axis=0)) @ turn
    turned = Relevance(calibration, BACKGROUND, turn=turn).example(QUERY)
    np.testing.assert_allclose(turned, expected / np.linalg.norm(expected), rtol=1e-4)
    plain = Relevance(Calibration(text=TEXT, clip=CLIP), BACKGROUND, turn=turn)
    np.testing.assert_array_equal(plain.example(QUERY), QUERY)


def test_that_examples_are_turned_alike_one_by_one_and_together_and_the_mean_stays() -> None:
    relevance = Relevance(Calibration(text=TEXT, clip=CLIP, clip_whitening=0.5), BACKGROUND)
    several = relevance.example(BACKGROUND)
    for row, vector in zip(several, BACKGROUND, strict=True):
        np.testing.assert_allclose(relevance.example(vector), row, atol=1e-6)
    mean = BACKGROUND.mean(axis=0)
    np.testing.assert_array_equal(relevance.example(mean), mean)
