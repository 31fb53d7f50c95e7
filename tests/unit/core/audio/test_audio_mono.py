from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soxr
from sound import noise, tone, wav_bytes, write_sound, write_with_libav

from core.audio.decode import open_audio
from core.audio.level import LevelMeter
from core.audio.mono import mix_down, read_mono, stream_mono
from core.errors import UnusableFileError
from core.jobs.clock import StageClock
from core.types import FloatArray, Span


def streamed(path: Path, sample_rate_hz: int, block_s: float) -> FloatArray:
    return np.concatenate(list(stream_mono(path, sample_rate_hz=sample_rate_hz, block_s=block_s)))


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 64])
def test_that_the_down_mix_is_the_average_of_the_channels(channels: int) -> None:
    block = noise(0.01, channels=channels)
    mixed = mix_down(block)
    assert mixed.dtype == np.float32
    assert np.abs(mixed - block.astype(np.float64).mean(axis=1)).max() < 1e-6
    assert not np.shares_memory(mixed, block), "the block's buffer is used again"


@pytest.mark.parametrize("source_hz", [8_000, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_that_blocks_of_any_size_give_what_one_pass_gives(tmp_path: Path, source_hz: int) -> None:
    sound = noise(1.234, source_hz, channels=2)
    path = write_sound(tmp_path / "a.wav", sound, source_hz, subtype="FLOAT")
    expected = soxr.resample(mix_down(sound), source_hz, 32_000, quality="HQ")
    for block_s in (0.01, 0.1, 0.77, 10.0):
        assert np.abs(streamed(path, 32_000, block_s) - expected).max() <= 1e-6


def test_that_a_tone_keeps_its_pitch_and_level_when_resampled(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(2.0, 44_100, frequency_hz=1000.0), 44_100)
    samples = read_mono(path, sample_rate_hz=32_000)
    assert len(samples) == 64_000
    expected = tone(2.0, 32_000, frequency_hz=1000.0)[:, 0]
    assert np.abs(samples - expected)[1000:-1000].max() < 1e-3


def test_that_what_lies_above_the_new_band_is_gone(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(1.0, 96_000, frequency_hz=30_000.0), 96_000, subtype="PCM_24")
    assert np.abs(read_mono(path, sample_rate_hz=32_000)[500:-500]).max() < 1e-4


def test_that_the_observer_sees_every_channel_before_the_mix(tmp_path: Path) -> None:
    sound = noise(0.5, channels=3)
    path = write_sound(tmp_path / "a.wav", sound, subtype="FLOAT")
    seen: list[FloatArray] = []
    meter = LevelMeter(48_000, 3)

    def observe(block: FloatArray) -> None:
        seen.append(block.copy())
        meter.add(block)

    list(stream_mono(path, sample_rate_hz=32_000, block_s=0.1, observer=observe))
    assert np.array_equal(np.concatenate(seen), sound)
    assert meter.result().peak_db == pytest.approx(20 * np.log10(np.abs(sound).max()), abs=1e-4)


def test_that_stages_are_timed(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.5, channels=2))
    clock = StageClock()
    list(stream_mono(path, sample_rate_hz=32_000, observer=lambda block: None, clock=clock))
    assert set(clock.seconds) == {"decode", "observe", "mix", "resample"}
    assert all(seconds > 0 for seconds in clock.seconds.values())


@pytest.mark.parametrize("sample_rate_hz", [32_000, 44_100, 16_000])
@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_24"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]
)
def test_that_a_part_equals_that_part_of_the_whole(
    tmp_path: Path, kind: str, subtype: str, sample_rate_hz: int
) -> None:
    path = write_sound(
        tmp_path / "a", noise(3, 44_100, channels=2), 44_100, kind=kind, subtype=subtype or "MPEG_LAYER_III"
    )
    whole = read_mono(path, sample_rate_hz=sample_rate_hz)
    for span in (Span(0.0, 0.5), Span(1.0, 1.75), Span(0.01, 0.02), Span(2.5, 3.0)):
        part = read_mono(path, sample_rate_hz=sample_rate_hz, span=span)
        start = round(span.start_s * sample_rate_hz)
        assert len(part) == round(span.duration_s * sample_rate_hz)
        assert np.abs(part - whole[start : start + len(part)]).max() < 2e-5


def test_that_a_part_is_found_in_a_file_that_libav_reads(tmp_path: Path) -> None:
    path = write_with_libav(tmp_path / "a.m4a", noise(2, channels=2), codec="aac", container="ipod")
    whole = read_mono(path, sample_rate_hz=32_000)
    part = read_mono(path, sample_rate_hz=32_000, span=Span(1.0, 1.5))
    assert np.abs(part - whole[32_000:48_000]).max() < 2e-5


def test_that_a_part_ends_where_the_file_ends(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(1.0))
    assert len(read_mono(path, sample_rate_hz=48_000, span=Span(0.75, 2.0))) == 12_000
    with pytest.raises(UnusableFileError, match=r"ends before 3\.0 s"):
        read_mono(path, sample_rate_hz=48_000, span=Span(3.0, 4.0))


@pytest.mark.slow
def test_that_ten_hours_stream_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    frames = 10 * 3600 * 8_000
    with path.open("wb") as file:
        file.write(wav_bytes(b"", sample_rate_hz=8_000, data_size=2 * frames))
        file.truncate(44 + 2 * frames)  # a hole, which reads as silence and takes no room
    tracemalloc.start()
    try:
        total = sum(len(block) for block in stream_mono(path, sample_rate_hz=8_000, block_s=10.0))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == frames
    assert peak_bytes < 4 << 20


def test_that_many_channels_do_not_need_much_memory(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(3.0, channels=64), subtype="PCM_16")
    with open_audio(path) as sound:
        blocks = [block.nbytes for block in sound.blocks(10.0)]
    assert max(blocks) <= 16 << 20
    assert len(blocks) > 1
