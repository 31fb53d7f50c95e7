"""Whether answers to texts are claimed as they should be."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_clip import made_up_clip

from core.encoders.card import Calibration, LogisticFit
from core.encoders.relevance import Relevance
from training.calibrate import kept_matches, log_odds_of
from training.claim import fit_texts, names_of_nothing

KINDS = 12
PLAIN = LogisticFit(score=1.0, surprise=0.0, bias=0.0)


def _around(centres: np.ndarray, count: int, *, seed: int, spread: float = 0.15) -> np.ndarray:
    """Unit vectors (len(centres) * count, d) about centres."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(centres, count, axis=0)
    rows = rows + spread * rng.standard_normal(rows.shape) / rows.shape[1] ** 0.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_that_a_name_of_which_any_word_is_about_a_clip_is_not_one_of_nothing() -> None:
    clips = [
        made_up_clip("0", title="dogs barking"),
        made_up_clip("1", title="metal", caption="Someone sneezes loudly"),
    ]
    names = ("Dog", "Sneezing", "Bark, yap", "Typewriter", "Sheet metal", "Cat", "sound of the")
    assert names_of_nothing(names, clips) == ("Typewriter", "Cat")


def test_that_the_fit_claims_what_is_there_and_not_what_merely_comes_first() -> None:
    kinds = np.eye(KINDS, dtype=np.float32)
    # Of the last kinds nothing is there; a text about them lies between, near enough to some of what is.
    there = KINDS - 4
    clips = _around(kinds[:there], 5, seed=1)
    fits = np.repeat(np.eye(there, dtype=np.bool_), 5, axis=1)
    captions = _around(kinds[:there], 1, seed=2)
    absent = _around(kinds[there:] + 0.9 * kinds[:4], 1, seed=4)
    fit = fit_texts(
        Relevance(Calibration(text=PLAIN, clip=PLAIN), clips),
        clips,
        captions=captions,
        absent=absent,
        absurd=captions[:0],
        fits=fits,
        kin=fits,
        kept=0.95,
    )
    relevance = Relevance(Calibration(text=fit, clip=PLAIN), clips)
    assert kept_matches(log_odds_of(relevance, captions, clips), fits) >= 0.95
    assert (log_odds_of(relevance, absent, clips) < 0).all()
    assert (absent @ clips.T).max() > 0.6


def test_that_kin_is_neither_a_match_nor_a_false_claim() -> None:
    kinds = np.eye(4, dtype=np.float32)
    fits, kin = np.eye(3, 4, dtype=np.bool_), np.ones((3, 4), dtype=np.bool_)
    neutral = Relevance(Calibration(text=PLAIN, clip=PLAIN), kinds)
    with pytest.raises(ValueError, match="false claims"):
        fit_texts(neutral, kinds, captions=kinds[:3], absent=kinds[:0], absurd=kinds[:0], fits=fits, kin=kin, kept=0.9)
