"""What is kept of a library's windows between questions."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from core.encoders.known_text import KnownTexts
from core.search.level import WindowLevels

RNG = np.random.default_rng(4)
KNOWN = KnownTexts(np.eye(5, dtype=np.float32), RNG.standard_normal((5, 6)).astype("f4"))
VECTORS = RNG.standard_normal((40, 6)).astype("f4")
# Side by side, far apart, and as far as a catalogue can number.
LABELS = np.concatenate([np.arange(1, 21), np.arange(10) * 100_003 + 50, 2**62 - np.arange(10)])


@pytest.fixture
def levels() -> WindowLevels:
    return WindowLevels(KNOWN)


def test_that_a_kept_level_is_the_level_whatever_was_asked_before_and_in_whatever_order(levels: WindowLevels) -> None:
    fresh = KNOWN.level(VECTORS)
    for rows in (np.arange(0, 40, 3), RNG.permutation(40), np.arange(40), np.arange(0)):
        recall = levels.recall(LABELS[rows], VECTORS[rows])
        np.testing.assert_array_equal(recall.level, fresh[rows])
        assert recall.sounds is not VECTORS
        np.testing.assert_array_equal(recall.sounds, VECTORS[rows])


def test_that_only_windows_that_were_never_met_are_worked_out(
    levels: WindowLevels, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels.recall(LABELS[:30], VECTORS[:30])
    worked_out: list[float] = []
    level = KnownTexts.level

    def watched(self: KnownTexts, sounds: np.ndarray) -> np.ndarray:
        worked_out.extend(sounds[:, 0].tolist())
        return level(self, sounds)

    monkeypatch.setattr(KnownTexts, "level", watched)
    levels.recall(LABELS, VECTORS)
    assert sorted(worked_out) == sorted(VECTORS[30:, 0].tolist())


def test_that_a_million_windows_take_four_bytes_each(levels: WindowLevels) -> None:
    tracemalloc.start()
    try:
        for start in range(1, 1_000_001, 20_000):
            levels.recall(np.arange(start, start + 20_000, 500), VECTORS)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Half a megabyte more for the last page, which is not full, and all else.
    assert held_bytes <= 4 * 1_000_000 + 2**19
