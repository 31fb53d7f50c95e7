"""How much of a gain is lost without a source."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from training.assess.source import SourceFigures, largest_sources, source_figures
from training.data.manifest import Clip
from training.evaluate import caption_queries


def clip(number: int, source: str) -> Clip:
    return Clip(str(number), Path(f"{number}.wav"), (f"sound {number}",), "test", source=source)


CLIPS = [clip(0, "bells"), clip(1, "bells"), clip(2, "bells"), clip(3, "winds"), clip(4, "winds"), clip(5, "doors")]


def test_that_only_the_sources_own_captions_are_asked_for() -> None:
    right = np.eye(6, dtype=np.float32)
    # The bells are found at once, the winds in second place, the door last.
    mixed = right.copy()
    mixed[3, 0] = mixed[4, 0] = 2.0
    mixed[5] = np.arange(6, 0, -1)
    worst = -right
    bells = source_figures("bells", CLIPS, caption_queries(CLIPS), free=worst, whole=right, without=mixed)
    winds = source_figures("winds", CLIPS, caption_queries(CLIPS), free=worst, whole=right, without=mixed)
    assert (bells.queries, bells.whole, bells.without, bells.lost) == (3, 1.0, 1.0, 0.0)
    assert (winds.queries, winds.without) == (2, 0.5)
    assert winds.lost == pytest.approx((1.0 - 0.5) / (1.0 - 1 / 6))


def test_that_no_gain_cannot_be_lost() -> None:
    assert math.isnan(SourceFigures("bells", 3, free=0.5, whole=0.5, without=0.4).lost)


def test_that_the_largest_sources_come_first() -> None:
    assert largest_sources(CLIPS, 2) == ["bells", "winds"]
