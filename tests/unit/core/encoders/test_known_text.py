"""Whether known texts tell a sound that is asked for from one that is merely the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from core.encoders.known_text import KnownTexts

SENTENCES = np.eye(3, dtype=np.float32)
VECTORS = np.eye(3, dtype=np.float32)
KNOWN = KnownTexts(SENTENCES, VECTORS)
DRILL, SAW = SENTENCES[0], SENTENCES[1]


def test_that_a_sound_that_another_text_fits_better_has_no_lead() -> None:
    text = np.asarray([0.6, 0.8, 0.0], dtype=np.float32)
    sounds = np.asarray([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32)
    lead = KNOWN.evidence(DRILL, sounds @ text, KNOWN.recall(sounds))[:, 0]
    assert lead[0] > 0.2
    assert lead[1] < -0.9


def test_that_the_level_is_a_soft_maximum_of_all_texts() -> None:
    recall = KNOWN.recall(np.asarray([[0.5, 0.5, 0.5], [1.0, 0.0, 0.0]], dtype=np.float32))
    assert recall.level[0] == pytest.approx(0.5, abs=1e-5)
    assert recall.level[1] == pytest.approx(1.0 - 0.05 * np.log(3), abs=1e-3)


def test_that_the_echo_is_the_score_of_texts_that_read_alike() -> None:
    sounds = np.asarray([[0.9, 0.1, 0.0]], dtype=np.float32)
    recall = KNOWN.recall(sounds)
    nothing = np.zeros(1, dtype=np.float32)
    assert KNOWN.evidence(DRILL, nothing, recall)[0, 1] == pytest.approx(0.9, abs=1e-3)
    assert KNOWN.evidence(SAW, nothing, recall)[0, 1] == pytest.approx(0.1, abs=1e-3)
    between = np.asarray([0.5**0.5, 0.5**0.5, 0.0], dtype=np.float32)
    assert KNOWN.evidence(between, nothing, recall)[0, 1] == pytest.approx(0.5, abs=1e-3)


def test_that_a_sound_is_judged_alike_alone_and_among_others() -> None:
    rng = np.random.default_rng(0)
    known = KnownTexts(rng.standard_normal((40, 7)).astype("f4"), rng.standard_normal((40, 16)).astype("f4"))
    sounds = rng.standard_normal((9, 16)).astype("f4")
    together = known.recall(sounds)
    for row, sound in enumerate(sounds):
        alone = known.recall(sound[None])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])
        assert alone.level[0] == together.level[row]


def test_that_no_sounds_give_no_evidence() -> None:
    recall = KNOWN.recall(np.zeros((0, 3), dtype=np.float32))
    assert KNOWN.evidence(DRILL, np.zeros(0, dtype=np.float32), recall).shape == (0, 2)


def test_that_texts_without_a_vector_each_are_refused() -> None:
    with pytest.raises(ValueError, match="known texts"):
        KnownTexts(SENTENCES, VECTORS[:2])
    with pytest.raises(ValueError, match="known texts"):
        KnownTexts(SENTENCES[:0], VECTORS[:0])
