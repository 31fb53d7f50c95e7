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


def test_that_a_model_of_smaller_scores_is_judged_alike_at_a_lower_temperature() -> None:
    sounds = np.asarray([[0.5, 0.4, 0.3], [0.9, 0.2, 0.1]], dtype=np.float32)
    softer = KnownTexts(SENTENCES, 0.5 * VECTORS, temperature=0.025)
    np.testing.assert_allclose(softer.level(sounds), 0.5 * KNOWN.level(sounds), rtol=1e-5)


def test_that_the_echo_is_the_score_of_texts_that_read_alike() -> None:
    sounds = np.asarray([[0.9, 0.1, 0.0]], dtype=np.float32)
    recall = KNOWN.recall(sounds)
    nothing = np.zeros(1, dtype=np.float32)
    assert KNOWN.evidence(DRILL, nothing, recall)[0, 1] == pytest.approx(0.9, abs=1e-3)
    assert KNOWN.evidence(SAW, nothing, recall)[0, 1] == pytest.approx(0.1, abs=1e-3)
    between = np.asarray([0.5**0.5, 0.5**0.5, 0.0], dtype=np.float32)
    assert KNOWN.evidence(between, nothing, recall)[0, 1] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("texts", "dimension", "count"), [(40, 16, 9), (70, 512, 13), (3, 40_000, 2), (5, 7, 600)])
def test_that_a_sound_is_judged_alike_alone_and_among_others(texts: int, dimension: int, count: int) -> None:
    rng = np.random.default_rng(0)
    known = KnownTexts(
        rng.standard_normal((texts, 7)).astype("f4"), rng.standard_normal((texts, dimension)).astype("f4")
    )
    sounds = rng.standard_normal((count, dimension)).astype("f4")
    nothing = np.zeros(count, dtype=np.float32)
    sentence = known.sentences[0] / np.linalg.norm(known.sentences[0])
    together = known.evidence(sentence, nothing, known.recall(sounds))
    alone = [known.evidence(sentence, nothing[:1], known.recall(sound[None]))[0] for sound in sounds]
    np.testing.assert_array_equal(together, np.stack(alone))
    # Short of the rounding, it is what the formulae say.
    products = sounds.astype(np.float64) @ known.vectors.T.astype(np.float64)
    level = products.max(axis=1) + 0.05 * np.log(
        np.exp((products - products.max(axis=1, keepdims=True)) / 0.05).mean(axis=1)
    )
    np.testing.assert_allclose(together[:, 0], -level, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(together[:, 1], products @ known.echo_weights(sentence), rtol=1e-4, atol=1e-2)


def test_that_no_sounds_give_no_evidence() -> None:
    recall = KNOWN.recall(np.zeros((0, 3), dtype=np.float32))
    assert KNOWN.evidence(DRILL, np.zeros(0, dtype=np.float32), recall).shape == (0, 2)


def test_that_texts_without_a_vector_each_are_refused() -> None:
    with pytest.raises(ValueError, match="known texts"):
        KnownTexts(SENTENCES, VECTORS[:2])
    with pytest.raises(ValueError, match="known texts"):
        KnownTexts(SENTENCES[:0], VECTORS[:0])
