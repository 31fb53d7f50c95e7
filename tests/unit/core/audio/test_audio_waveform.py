"""Peaks of any stretch, from the detail or from the sound itself."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from sound import noise, write_sound, write_with_libav

from core.audio.cache import CacheFolder
from core.audio.waveform import DETAIL_SAMPLES, WaveDetail, measure_detail, read_peaks, suits
from core.errors import CancelledError, UnusableFileError
from core.jobs import CancelToken
from core.types import FloatArray, Span


def exact(sound: FloatArray, span: Span, bins: int, rate_hz: int = 48_000) -> tuple[FloatArray, FloatArray]:
    """The outline, the slow way: (lanes, bins)."""
    edges = np.round((span.start_s + np.arange(bins + 1) * span.duration_s / bins) * rate_hz, 4)
    low, high = [], []
    for first, last in itertools.pairwise(edges):
        part = sound[int(np.floor(first)) : max(int(np.ceil(last)), int(np.floor(first)) + 1)]
        low.append(part.min(axis=0) if len(part) else np.zeros(sound.shape[1]))
        high.append(part.max(axis=0) if len(part) else np.zeros(sound.shape[1]))
    return np.array(low).T, np.array(high).T


def complete(path: Path, **how) -> WaveDetail:
    return list(measure_detail(path, cancel=CancelToken(), **how))[-1]


@pytest.mark.parametrize(
    ("span", "bins"),
    [(Span(0.0, 3.0), 100), (Span(1.2345, 1.25), 700), (Span(0.5, 0.5005), 1_000), (Span(2.9, 3.2), 50)],
)
def test_that_a_stretch_has_the_peaks_of_its_samples(tmp_path: Path, span: Span, bins: int) -> None:
    sound = noise(3.0, channels=2)
    path = write_sound(tmp_path / "a.wav", sound, subtype="FLOAT")
    wave = read_peaks(path, span, bins)
    low, high = exact(sound, span, bins)
    assert wave.low.shape == (2, bins)
    np.testing.assert_allclose(wave.low, low, atol=1e-7)
    np.testing.assert_allclose(wave.high, high, atol=1e-7)


def test_that_the_detail_encloses_the_sound_and_hardly_more(tmp_path: Path) -> None:
    sound = noise(30.0, channels=2) * np.linspace(0, 1, 30 * 48_000, dtype=np.float32)[:, None]
    path = write_sound(tmp_path / "a.wav", sound, subtype="FLOAT")
    detail = complete(path)
    span, bins = Span(3.0, 29.0), 400
    assert suits(detail, span, bins)
    wave = read_peaks(path, span, bins, detail=detail)
    low, high = exact(sound, span, bins)
    assert (wave.low <= low + 1e-7).all()
    assert (wave.high >= high - 1e-7).all()
    margin_s = DETAIL_SAMPLES / 48_000
    for index in range(0, bins, 37):
        begin, end = span.start_s + index * 0.065 - margin_s, span.start_s + (index + 1) * 0.065 + margin_s
        near = sound[int(begin * 48_000) : int(end * 48_000) + 1]
        assert (wave.high[:, index] <= near.max(axis=0) + 1 / 32_000).all()


def test_that_close_by_the_sound_itself_is_read(tmp_path: Path) -> None:
    sound = noise(25.0)
    path = write_sound(tmp_path / "a.wav", sound, subtype="FLOAT")
    wave = read_peaks(path, Span(10.0, 10.01), 480, detail=complete(path))
    np.testing.assert_allclose(wave.low[0], sound[480_000:480_480, 0], atol=1e-7)
    np.testing.assert_array_equal(wave.low, wave.high)


def test_that_a_detail_grows_while_it_is_looked_at(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(35.0))
    seen = []
    for detail in measure_detail(path, cancel=CancelToken()):
        wave = detail.waveform(Span(0.0, 35.0), 70)
        seen.append((detail.duration_s, int((wave.high[0] > 0).sum())))
    lengths = [length for length, _ in seen]
    assert len(set(lengths)) >= 4
    assert lengths == sorted(lengths)
    assert seen[0][1] < 25
    assert seen[-1] == (35.0, 70)


def test_that_a_detail_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = CacheFolder(tmp_path / "cache", 1 << 20)
    path = write_sound(tmp_path / "a.wav", noise(30.0, channels=2))
    first = complete(path, cache=cache)

    def never(path: Path) -> None:
        raise AssertionError("it was measured again")

    monkeypatch.setattr("core.audio.waveform.open_audio", never)
    again = complete(path, cache=cache)
    assert again.is_complete
    assert again.duration_s == first.duration_s
    for one, other in zip(_values(first), _values(again), strict=True):
        np.testing.assert_array_equal(one, other)


def _values(detail: WaveDetail) -> tuple[FloatArray, FloatArray]:
    wave = detail.waveform(Span(0.0, detail.duration_s), 333)
    return wave.low, wave.high


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"EWD1" + b"\xff" * 16, None])
def test_that_a_damaged_cache_is_measured_again(tmp_path: Path, damage: bytes | None) -> None:
    cache = CacheFolder(tmp_path / "cache", 1 << 20)
    path = write_sound(tmp_path / "a.wav", noise(30.0))
    complete(path, cache=cache)
    (kept,) = (tmp_path / "cache").glob("*/*")
    kept.write_bytes(kept.read_bytes()[:-7] if damage is None else damage)
    assert complete(path, cache=cache).duration_s == 30.0


def test_that_a_changed_file_is_measured_anew(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path / "cache", 1 << 20)
    path = write_sound(tmp_path / "a.wav", noise(30.0))
    complete(path, cache=cache)
    write_sound(path, noise(31.0))
    assert complete(path, cache=cache).duration_s == 31.0


def test_that_short_sounds_do_not_fill_the_cache(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path / "cache", 1 << 20)
    complete(write_sound(tmp_path / "a.wav", noise(2.0)), cache=cache)
    assert not (tmp_path / "cache").exists()


def test_that_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = CacheFolder(tmp_path / "cache", 1 << 20)
    assert complete(write_sound(tmp_path / "a.wav", noise(25.0)), cache=cache).is_complete


def test_that_measuring_can_be_broken_off(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(30.0))
    cancel = CancelToken()
    measuring = measure_detail(path, cancel=cancel)
    next(measuring)
    cancel.cancel()
    with pytest.raises(CancelledError):
        next(measuring)


def test_that_many_channels_share_a_lane(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.2, channels=12))
    assert complete(path).waveform(Span(0, 0.2), 10).low.shape == (1, 10)
    assert read_peaks(path, Span(0, 0.2), 10).low.shape == (1, 10)


def test_that_a_length_nobody_knew_is_measured_to_its_end(tmp_path: Path) -> None:
    path = write_with_libav(tmp_path / "a.aac", noise(30.0, channels=2), codec="aac", container="adts")
    assert complete(path).duration_s == pytest.approx(30.0, abs=0.1)


def test_that_a_file_that_is_no_sound_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("hello")
    with pytest.raises(UnusableFileError):
        complete(tmp_path / "a.wav")
    with pytest.raises(UnusableFileError):
        read_peaks(tmp_path / "a.wav", Span(0, 1), 10)
