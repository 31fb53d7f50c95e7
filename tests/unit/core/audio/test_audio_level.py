from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from sound import noise, tone

from core.audio.level import SILENCE_DB, LevelMeter, k_weighting
from core.types import FloatArray


def measure(samples: FloatArray, sample_rate_hz: int = 48_000, block: int = 480_000) -> tuple[float, float | None]:
    meter = LevelMeter(sample_rate_hz, samples.shape[1])
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    level = meter.result()
    return level.peak_db, level.loudness_lufs


def direct_loudness(samples: FloatArray, sample_rate_hz: int) -> float:
    """BS.1770-4 as it is written: sample by sample, block by block, in double precision."""
    filtered = samples.astype(np.float64)
    for b, a in k_weighting(sample_rate_hz):
        filtered = biquad(filtered, b, a)
    length, hop = round(0.4 * sample_rate_hz), round(0.1 * sample_rate_hz)
    powers = np.array(
        [
            (filtered[start : start + length] ** 2).mean(axis=0).sum()
            for start in range(0, len(filtered) - length + 1, hop)
        ]
    )
    loudness = -0.691 + 10 * np.log10(np.maximum(powers, 1e-20))
    kept = powers[loudness > -70]
    kept = kept[-0.691 + 10 * np.log10(kept) > -0.691 + 10 * math.log10(kept.mean()) - 10]
    return -0.691 + 10 * math.log10(kept.mean())


def biquad(
    samples: npt.NDArray[np.float64], b: npt.NDArray[np.float64], a: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    out = np.zeros_like(samples)
    first, second = np.zeros(samples.shape[1]), np.zeros(samples.shape[1])
    for index, sample in enumerate(samples):
        out[index] = b[0] * sample + first
        first = b[1] * sample - a[1] * out[index] + second
        second = b[2] * sample - a[2] * out[index]
    return out


def test_that_the_filter_equals_the_table_of_the_standard_at_48_khz() -> None:
    (b, a), (d, c) = k_weighting(48_000)
    assert b == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-7)
    assert a == pytest.approx([1.0, -1.69065929318241, 0.73248077421585], abs=1e-7)
    assert d == pytest.approx([1.0, -2.0, 1.0])
    assert c == pytest.approx([1.0, -1.99004745483398, 0.99007225036621], abs=1e-7)


def test_that_a_full_scale_sine_in_one_channel_measures_what_the_standard_says() -> None:
    sine = tone(3.0, frequency_hz=997.0) * 2
    peak_db, loudness = measure(sine)
    assert peak_db == pytest.approx(0.0, abs=0.01)
    assert loudness == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize("sample_rate_hz", [8_000, 11_025, 44_100])
def test_that_block_filtering_equals_the_recursion(sample_rate_hz: int) -> None:
    rumble = tone(0.8, sample_rate_hz, channels=2, frequency_hz=25.0)
    sound = noise(0.8, sample_rate_hz, channels=2) * np.linspace(0, 1, len(rumble), dtype=np.float32)[:, None] + rumble
    assert measure(sound, sample_rate_hz)[1] == pytest.approx(direct_loudness(sound, sample_rate_hz), abs=0.001)


@pytest.mark.parametrize("sample_rate_hz", [192_000, 384_000])
def test_that_high_rates_measure_like_low_ones(sample_rate_hz: int) -> None:
    low = measure(tone(2.0, 48_000))[1]
    assert measure(tone(2.0, sample_rate_hz), sample_rate_hz)[1] == pytest.approx(
        low, abs=0.05
    )  # the bilinear transform warps the shelf


def test_that_the_result_does_not_depend_on_how_the_sound_is_cut() -> None:
    sound = noise(2.3, channels=2)
    expected = measure(sound)
    for block in (1, 777, 4_800, 48_001):
        peak_db, loudness = measure(sound if block > 1 else sound[:20_000], block=block)
        reference = expected if block > 1 else measure(sound[:20_000])
        assert peak_db == reference[0]
        assert loudness == pytest.approx(reference[1], abs=1e-3)


def test_that_quiet_stretches_are_gated_out() -> None:
    loud = noise(2.0, 8_000)
    mixed = np.concatenate([loud, loud * 1e-3, np.zeros_like(loud)])
    assert measure(mixed, 8_000)[1] == pytest.approx(measure(loud, 8_000)[1], abs=0.35)
    assert measure(mixed, 8_000)[1] == pytest.approx(direct_loudness(mixed, 8_000), abs=0.001)


def test_that_channels_add_up() -> None:
    one = noise(1.0)
    two = np.repeat(one, 2, axis=1)
    mono, stereo = measure(one)[1], measure(two)[1]
    assert mono is not None
    assert stereo == pytest.approx(mono + 3.01, abs=0.01)


def test_that_silence_has_no_loudness() -> None:
    assert measure(np.zeros((48_000, 2), dtype=np.float32)) == (SILENCE_DB, None)
    assert LevelMeter(48_000, 2).result().loudness_lufs is None


def test_that_a_sound_shorter_than_a_block_is_measured_as_it_is() -> None:
    long = measure(tone(2.0))[1]
    assert measure(tone(0.25))[1] == pytest.approx(long, abs=0.3)
    meter = LevelMeter(48_000, 1)
    meter.add(tone(0.25))
    assert meter.result() == meter.result(), "looking does not change what is measured"


def test_that_the_peak_counts_negative_samples_and_overs() -> None:
    sound = np.zeros((100, 2), dtype=np.float32)
    sound[50, 1] = -2.0
    assert measure(sound)[0] == pytest.approx(6.02, abs=0.01)
