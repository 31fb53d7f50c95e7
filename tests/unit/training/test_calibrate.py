from __future__ import annotations

import numpy as np
import pytest

from core.encoders.card import Calibration, LogisticFit
from core.encoders.relevance import Relevance
from training.calibrate import Examples, calibration_figures, example_turn, fit_logistic, lowered, put_to


def drawn(rows: int = 4000, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, 2)).astype(np.float32) * np.asarray([0.2, 3.0], np.float32) + 0.5
    odds = 6.0 * features[:, 0] + 0.8 * features[:, 1] - 3.0
    return features, rng.random(rows) < 1 / (1 + np.exp(-odds))


def test_that_the_fit_finds_what_made_the_matches() -> None:
    features, matches = drawn(40000)
    fit = fit_logistic(Examples(features, matches), penalty=0.0)
    assert fit.score == pytest.approx(6.0, rel=0.1)
    assert fit.surprise == pytest.approx(0.8, rel=0.1)


def test_that_matches_and_false_claims_weigh_the_same() -> None:
    features, matches = drawn()
    many = np.flatnonzero(~matches).repeat(9)
    more = Examples(np.concatenate([features, features[many]]), np.concatenate([matches, matches[many]]))
    once, again = fit_logistic(Examples(features, matches), penalty=0.0), fit_logistic(more, penalty=0.0)
    assert again.score == pytest.approx(once.score, rel=1e-3)
    assert again.bias == pytest.approx(once.bias, rel=1e-3)


def test_that_no_factor_is_negative() -> None:
    features, matches = drawn()
    features[:, 1] *= -1
    fit = fit_logistic(Examples(features, matches))
    assert fit.surprise == 0.0
    assert fit.score > 0


def test_that_matches_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="false claims"):
        fit_logistic(Examples(np.zeros((3, 2), np.float32), np.ones(3, np.bool_)))


def test_that_kept_and_false_claims_are_counted_by_hand() -> None:
    vectors = np.eye(4, dtype=np.float32)
    queries = np.asarray([[1.0, 0, 0, 0], [0, 0.6, 0.8, 0]], np.float32)
    fits = np.asarray([[True, False, False, False], [False, True, False, False]])
    text = LogisticFit(score=100.0, surprise=0.0, bias=-70.0)
    relevance = Relevance(Calibration(text=text, clip=text), vectors)
    # Shown are scores of .7 or more: the first query's match is; the second's is not, but a stranger is.
    figures = calibration_figures(relevance, queries, vectors, fits=fits, kin=fits, absurd=queries[:1])
    assert figures.kept == 0.5
    assert figures.false_claims == 0.5
    assert figures.absurd_claims == 1.0


def test_that_kin_is_neither_a_match_nor_a_false_claim() -> None:
    vectors = np.eye(3, dtype=np.float32)
    query = np.asarray([[0.2, 0.9, 0.1]], np.float32)
    fits, kin = np.asarray([[True, False, False]]), np.asarray([[True, True, False]])
    text = LogisticFit(score=1.0, surprise=0.0, bias=0.0)
    found = put_to(Relevance(Calibration(text=text, clip=text), vectors), query, vectors, fits=fits, kin=kin)
    assert found.matches.tolist() == [True, False]
    assert found.features[:, 0] == pytest.approx([0.2, 0.1])


def test_that_a_bias_is_lowered_until_enough_matches_are_kept() -> None:
    scores = np.arange(10, dtype=np.float32)
    examples = Examples(np.stack([scores, np.zeros_like(scores)], axis=1), np.ones(10, np.bool_))
    strict = LogisticFit(score=1.0, surprise=0.0, bias=-8.5)
    assert lowered(strict, examples, kept=0.5).bias == pytest.approx(-4.5)
    easy = LogisticFit(score=1.0, surprise=0.0, bias=0.0)
    assert lowered(easy, examples, kept=0.5) == easy


def test_that_an_example_is_turned_away_from_what_copies_change_and_what_all_sounds_differ_in() -> None:
    rng = np.random.default_rng(0)
    # Sounds differ widely in the first direction; what a copy changes is the second; the rest says what they are.
    sounds = rng.normal(size=(2000, 4)).astype(np.float32) * np.asarray([3.0, 1.0, 1.0, 1.0], np.float32)
    copies = sounds + rng.normal(size=(2000, 1)).astype(np.float32) * np.asarray([0, 3.0, 0, 0], np.float32)
    shares = np.diag(example_turn(sounds, copies, sounds))
    assert shares[:2].max() < 0.5 * shares[2:].min()
    untouched = np.diag(example_turn(sounds, sounds, sounds))
    assert untouched[1:] == pytest.approx(untouched[1:].mean(), rel=0.1)
