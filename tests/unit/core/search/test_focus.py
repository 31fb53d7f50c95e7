"""Finding a sound within a file, with an encoder whose vectors can be foretold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from core.encoders.protocol import DualEncoder
from core.search.focus import LISTENED_S, Focus, Heard, find_focus, listen, regions_of
from core.types import FloatArray, Span

RATE = 1000
UP, DOWN = np.eye(2, dtype=np.float32)


class SignEncoder:
    """Its vectors tell how much of a sound is positive and how much negative; a frame is ten samples."""

    card = SimpleNamespace(sample_rate_hz=RATE, window_s=10.0, hop_s=5.0)

    def __init__(self) -> None:
        self.heard_s = 0.0

    def features(self, samples: FloatArray) -> FloatArray:
        return np.resize(samples, (-(-len(samples) // 10), 10)).astype(np.float32)

    def embed_features(self, windows: list[FloatArray]) -> FloatArray:
        self.heard_s += sum(window.size for window in windows) / RATE
        sums = np.asarray([[np.maximum(window, 0).sum(), np.maximum(-window, 0).sum()] for window in windows]) + 1e-6
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)


def recording(length_s: float, *, up: tuple[float, float], down: tuple[float, float]) -> FloatArray:
    """Soft hiss of both signs, with a stretch of the one and of the other."""
    samples = np.tile(np.asarray([0.01, -0.01], dtype=np.float32), round(length_s * RATE / 2))
    samples[round(up[0] * RATE) : round(up[1] * RATE)] = 0.5
    samples[round(down[0] * RATE) : round(down[1] * RATE)] = -0.5
    return samples


def windows_of(length_s: float) -> list[Span]:
    return [Span(start, start + 10.0) for start in np.arange(0.0, length_s - 9.9, 5.0).tolist()]


def hear(samples: FloatArray, encoder: SignEncoder) -> Heard | None:
    return listen(cast(DualEncoder, encoder), samples)


def focused(samples: FloatArray, query: FloatArray, fits: FloatArray, encoder: SignEncoder | None = None) -> Focus:
    heard_by = encoder or SignEncoder()
    length_s = len(samples) / RATE
    return find_focus(
        windows_of(length_s),
        fits,
        hear=lambda part: hear(samples[round(part.start_s * RATE) : round(part.end_s * RATE)], heard_by),
        fit=lambda vectors: vectors @ query,
        window_s=10.0,
        duration_s=length_s,
    )


@pytest.mark.parametrize(("query", "event"), [(UP, (12.0, 13.5)), (DOWN, (31.0, 32.0))])
def test_that_a_short_sound_is_found_also_where_a_window_without_it_scored_best(
    query: FloatArray, event: tuple[float, float]
) -> None:
    samples = recording(40.0, up=(12.0, 13.5), down=(31.0, 32.0))
    misled = np.zeros(len(windows_of(40.0)), dtype=np.float32)
    misled[4] = 1.0
    found = focused(samples, query, misled)
    assert event[0] <= found.peak_s <= event[1]
    assert event[0] - 0.5 <= found.start_s <= found.peak_s
    assert found.span.start_s <= event[0]
    assert event[1] <= found.span.end_s
    assert found.span.duration_s == pytest.approx(10.0)


def test_that_a_sound_at_the_edge_leaves_the_window_inside_the_file() -> None:
    samples = recording(30.0, up=(29.0, 30.0), down=(0.0, 1.0))
    fits = np.zeros(len(windows_of(30.0)), dtype=np.float32)
    assert focused(samples, UP, fits).span == Span(20.0, 30.0)
    first = focused(samples, DOWN, fits)
    assert first.span == Span(0.0, 10.0)
    assert first.start_s == pytest.approx(0.0, abs=0.3)


def test_that_of_a_long_file_only_the_best_windows_are_listened_to() -> None:
    samples = recording(600.0, up=(402.0, 404.0), down=(100.0, 101.0))
    windows = windows_of(600.0)
    fits = np.asarray([-abs(window.start_s - 400.0) for window in windows], dtype=np.float32)
    encoder = SignEncoder()
    assert 402.0 <= focused(samples, UP, fits, encoder).peak_s <= 404.0
    assert encoder.heard_s < 12 * LISTENED_S


def test_that_regions_join_what_overlaps_and_keep_to_the_limit() -> None:
    windows = windows_of(600.0)
    fits = np.zeros(len(windows), dtype=np.float32)
    fits[[10, 11, 50]] = [3.0, 1.0, 2.0]
    regions = regions_of(windows, fits)
    assert Span(50.0, 65.0) in regions
    assert Span(250.0, 260.0) in regions
    assert 50.0 <= sum(region.duration_s for region in regions) <= LISTENED_S
    endless = [Span(0.0, 3600.0)]
    assert regions_of(endless, np.zeros(1, dtype=np.float32)) == endless, "one window is heard however long"


def test_that_a_sound_shorter_than_any_stretch_is_its_own_focus() -> None:
    samples = np.full(300, 0.5, dtype=np.float32)
    heard = hear(samples, SignEncoder())
    assert isinstance(heard, Heard)
    found = find_focus(
        [Span(0.0, 0.3)],
        np.zeros(1, dtype=np.float32),
        hear=lambda part: heard,
        fit=lambda vectors: vectors @ UP,
        window_s=10.0,
        duration_s=0.3,
    )
    assert found.span == Span(0.0, 0.3)
    assert 0.0 <= found.start_s <= found.peak_s <= 0.3


def test_that_where_nothing_can_be_heard_the_best_window_is_shown() -> None:
    assert hear(np.zeros(0, dtype=np.float32), SignEncoder()) is None
    found = find_focus(
        [Span(0.0, 10.0), Span(5.0, 15.0)],
        np.asarray([0.0, 1.0], dtype=np.float32),
        hear=lambda part: None,
        fit=lambda vectors: vectors @ UP,
        window_s=10.0,
        duration_s=15.0,
    )
    assert found.start_s == found.peak_s == 5.0
