"""Copies of sounds as they come back from the world."""

from __future__ import annotations

import numpy as np
import pytest

from training.worn_copy import CHANGES, dull, hissing, soft

RATE_HZ = 32_000


@pytest.fixture
def sound() -> np.ndarray:
    """A second of a low and a high tone, both of amplitude 0.25."""
    seconds = np.arange(RATE_HZ) / RATE_HZ
    tones = np.sin(2 * np.pi * 1000 * seconds) + np.sin(2 * np.pi * 14_500 * seconds)
    return (0.25 * tones).astype(np.float32)


def tone_level(samples: np.ndarray, hertz: int) -> float:
    """Amplitude of a tone in a second of sound."""
    return float(2 * np.abs(np.fft.rfft(samples)[hertz]) / len(samples))


def test_that_hiss_lies_22_to_38_decibels_below_the_sound(sound: np.ndarray) -> None:
    for seed in range(5):
        hiss = hissing(sound, np.random.default_rng(seed)) - sound
        below_db = 20 * np.log10(np.sqrt(np.mean(sound**2) / np.mean(hiss**2)))
        assert 21.5 < below_db < 38.5


def test_that_a_dull_copy_keeps_what_is_low_and_loses_what_is_high(sound: np.ndarray) -> None:
    copy = dull(sound, np.random.default_rng(0))
    assert len(copy) == pytest.approx(len(sound), abs=2)
    assert tone_level(copy, 1000) == pytest.approx(0.25, rel=0.01)
    assert tone_level(copy, 14_500) < 0.01


def test_that_a_soft_copy_is_the_same_sound_at_another_level(sound: np.ndarray) -> None:
    copy = soft(sound, np.random.default_rng(0))
    factor = float(np.abs(copy).max() / np.abs(sound).max())
    assert 0.1 <= factor < 1.0
    np.testing.assert_allclose(copy, factor * sound, atol=1e-6)


def test_that_a_silent_sound_stays_silent_under_every_change() -> None:
    for change in CHANGES:
        assert not change(np.zeros(1000, dtype=np.float32), np.random.default_rng(0)).any()
