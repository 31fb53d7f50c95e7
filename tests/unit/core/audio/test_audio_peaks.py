"""The outline of a sound, measured while it streams by."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sound import noise, tone

from core.audio.peaks import OVERVIEW_BINS, PeakMeter, Peaks
from core.types import FloatArray


def measured(samples: FloatArray, *, block: int = 1 << 20, rate_hz: int = 48_000) -> Peaks:
    meter = PeakMeter(rate_hz, samples.shape[1])
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    return meter.result()


def exact(samples: FloatArray, bins: int) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest sample of equal parts, the slow way."""
    edges = np.arange(bins + 1) * len(samples) // bins
    parts = [samples[a : max(b, a + 1)] for a, b in itertools.pairwise(edges)]
    return np.array([part.min() for part in parts]), np.array([part.max() for part in parts])


@pytest.mark.parametrize("samples", [300, 8_192, 8_193, 100_000, 1_234_567])
def test_that_an_overview_encloses_every_sample_and_hardly_more(samples: int) -> None:
    envelope = np.linspace(0, 1, samples, dtype=np.float32)[:, None]
    sound = noise(samples / 48_000, channels=2, seed=3) * envelope
    peaks = measured(sound)
    low, high = exact(sound, OVERVIEW_BINS)
    assert len(peaks) == OVERVIEW_BINS
    assert (peaks.low <= low * 127).all()
    assert (peaks.high >= high * 127).all()
    # Not more than what stands within 1/16 of a part beyond its edges, and one step of rounding.
    margin = max(1, samples // OVERVIEW_BINS // 16 + 1)
    edges = np.arange(OVERVIEW_BINS + 1) * samples // OVERVIEW_BINS
    for part in range(0, OVERVIEW_BINS, 7):
        near = sound[max(0, edges[part] - margin) : edges[part + 1] + margin + 1]
        assert peaks.high[part] <= np.ceil(near.max() * 127)
        assert peaks.low[part] >= np.floor(near.min() * 127)


@pytest.mark.parametrize("block", [1, 7, 480, 65_536])
def test_that_the_outline_does_not_depend_on_the_blocks(block: int) -> None:
    sound = noise(0.5, channels=2, seed=1)
    assert measured(sound, block=block).to_bytes() == measured(sound).to_bytes()


def test_that_a_click_in_a_long_sound_is_drawn_where_it_is() -> None:
    sound = np.zeros((48_000 * 120, 1), dtype=np.float32)
    at = 48_000 * 71 + 13
    sound[at] = -0.9
    peaks = measured(sound, block=48_000)
    struck = np.flatnonzero(peaks.low < -100)
    assert struck.tolist() == [at * OVERVIEW_BINS // len(sound)]
    assert not peaks.high.any()


def test_that_a_sound_of_a_few_samples_has_as_many_parts() -> None:
    peaks = measured(np.array([[0.5], [-1.0], [2.0]], dtype=np.float32))
    assert peaks.low.tolist() == [63, -127, 127]
    assert peaks.high.tolist() == [64, -127, 127]


def test_that_nothing_has_no_outline() -> None:
    assert len(PeakMeter(48_000, 2).result()) == 0


def test_that_a_quiet_sound_is_not_drawn_as_silence() -> None:
    peaks = measured(tone(1.0) * 1e-3)
    assert (peaks.high >= 1).all()
    assert (peaks.low <= -1).all()


def test_that_memory_stays_constant_over_hours() -> None:
    meter = PeakMeter(8_000, 1)
    block = noise(60.0, 8_000)
    for _ in range(240):
        meter.add(block)
    assert meter._low.nbytes + meter._high.nbytes == 65_536
    assert meter.result().duration_s == pytest.approx(4 * 3600)


def test_that_peaks_survive_their_blob() -> None:
    peaks = measured(noise(1.0))
    again = Peaks.from_bytes(peaks.to_bytes())
    np.testing.assert_array_equal(again.low, peaks.low)
    np.testing.assert_array_equal(again.high, peaks.high)
    assert again.duration_s == peaks.duration_s
    assert len(peaks.to_bytes()) < 600


@pytest.mark.parametrize(
    "blob",
    [b"", b"EPK1", b"EPK9" + bytes(12), b"EPK1\xff\xff\xff\xff" + bytes(8), b"EPK1\0\0\0\0" + b"\xff" * 8],
)
def test_that_a_damaged_blob_is_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Peaks.from_bytes(blob)
