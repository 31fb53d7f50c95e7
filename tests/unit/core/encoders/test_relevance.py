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
