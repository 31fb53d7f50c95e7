"""Whether the known texts are made and trusted as they should be."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_clip import made_up_clip

from core.encoders.card import Calibration, LogisticFit
from core.encoders.known_text import KnownTexts
from core.encoders.protocol import TextReading
from core.encoders.relevance import Relevance
from training.calibrate import kept_matches, log_odds_of
from training.verify import fit_verified, known_texts, names_of_nothing

KINDS = 12
PLAIN = LogisticFit(score=1.0, surprise=0.0, bias=0.0)


def _around(centres: np.ndarray, count: int, *, seed: int, spread: float = 0.15) -> np.ndarray:
    """Unit vectors (len(centres) * count, d) about centres."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(centres, count, axis=0)
    rows = rows + spread * rng.standard_normal(rows.shape) / rows.shape[1] ** 0.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_that_captions_that_read_alike_become_one() -> None:
    sentences = _around(np.eye(6), 20, seed=0)
    vectors = np.repeat(np.eye(6, 4, dtype=np.float32) + 0.1, 20, axis=0)
    known = known_texts(sentences, vectors, count=60, seed=1, temperature=0.05)
    assert 6 <= len(known.sentences) <= 60
    nearest = np.eye(6, dtype=np.float32) @ known.sentences.T
    for kind, row in enumerate(nearest.argmax(axis=1)):
        np.testing.assert_allclose(known.vectors[row], vectors[20 * kind], atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(known.sentences, axis=1), 1.0, atol=1e-3)


def test_that_known_texts_are_drawn_by_the_seed_and_no_more_than_there_are_captions() -> None:
    sentences = _around(np.eye(3), 2, seed=0)
    once, again = (known_texts(sentences, sentences, count=50, seed=3, temperature=0.05) for _ in range(2))
    assert len(once.sentences) <= 6
    np.testing.assert_array_equal(once.sentences, again.sentences)
    np.testing.assert_array_equal(once.vectors, again.vectors)


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
    captions = TextReading(_around(kinds[:there], 1, seed=2), _around(kinds[:there], 1, seed=3))
    absent = TextReading(_around(kinds[there:] + 0.9 * kinds[:4], 1, seed=4), _around(kinds[there:], 1, seed=5))
    nothing = TextReading(captions.vectors[:0], captions.vectors[:0])
    known = KnownTexts(kinds, kinds)
    verified = fit_verified(
        known, clips, captions=captions, absent=absent, absurd=nothing, fits=fits, kin=fits, kept=0.95
    )
    assert verified.lead > 0 or verified.echo > 0
    relevance = Relevance(Calibration(text=PLAIN, clip=PLAIN, verified=verified), clips, known)
    assert kept_matches(log_odds_of(relevance, captions, clips), fits) >= 0.95
    assert (log_odds_of(relevance, absent, clips) < 0).all()
    # The scores alone do not tell them apart: the best for an absent sound is beyond the worst of a match.
    assert (absent.vectors @ clips.T).max() > 0.6


def test_that_known_texts_cannot_be_asked_about_texts_without_sentences() -> None:
    vectors = np.eye(3, dtype=np.float32)
    texts = TextReading(vectors)
    same = np.eye(3, dtype=np.bool_)
    with pytest.raises(ValueError, match="sentences"):
        fit_verified(
            KnownTexts(vectors, vectors),
            vectors,
            captions=texts,
            absent=texts,
            absurd=texts,
            fits=same,
            kin=same,
            kept=0.9,
        )
