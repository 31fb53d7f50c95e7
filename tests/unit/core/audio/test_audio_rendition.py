"""What a device is given to play: the right samples, in the right order, at its own rate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_device import ramp_file
from sound import noise, tone, write_sound, write_with_libav

from core.audio.channel import mixing_matrix
from core.audio.cursor import BlockCache, SourceCursor
from core.audio.decode import open_audio
from core.audio.rendition import PlayOptions, Rendition
from core.audio.silence import SilenceSkipper
from core.types import FloatArray, Span

_open: list[SourceCursor] = []


@pytest.fixture(autouse=True)
def _closed_files() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def rendition(
    path: Path, *, start_s: float = 0.0, rate_hz: int = 48_000, sides: int = 2, cache: BlockCache | None = None, **how
) -> Rendition:
    cursor = SourceCursor(path, cache or BlockCache())
    _open.append(cursor)
    return Rendition(cursor, start_s=start_s, options=PlayOptions(**how), sample_rate_hz=rate_hz, sides=sides)


def heard(path: Path, *, limit: int | None = None, **how) -> FloatArray:
    made = rendition(path, **how)
    parts = []
    while (part := made.next()) is not None:
        parts.append(part)
        if limit is not None and sum(map(len, parts)) >= limit:
            break
    return np.concatenate(parts)[:limit]


def test_that_a_sound_at_the_devices_rate_is_played_sample_by_sample(tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav", seconds=3.3)
    np.testing.assert_array_equal(heard(tmp_path / "a.wav"), sound)


@pytest.mark.parametrize("start_s", [0.001, 0.9999, 1.0, 2.345])
def test_that_it_begins_at_the_very_sample_asked_for(tmp_path: Path, start_s: float) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    np.testing.assert_array_equal(heard(tmp_path / "a.wav", start_s=start_s), sound[round(start_s * 48_000) :])


def test_that_backwards_is_the_sound_turned_around(tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav", seconds=12.2)
    np.testing.assert_array_equal(heard(tmp_path / "a.wav", is_reversed=True), sound[::-1])
    np.testing.assert_array_equal(
        heard(tmp_path / "a.wav", is_reversed=True, start_s=1.5), sound[: round(1.5 * 48_000)][::-1]
    )


def test_that_a_region_is_looped_without_a_gap(tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    region = Span(0.75, 1.5)
    part = sound[36_000:72_000]
    looped = heard(tmp_path / "a.wav", start_s=1.0, region=region, is_looping=True, limit=24_000 + 2 * 36_000)
    np.testing.assert_array_equal(looped, np.concatenate([part[12_000:], part, part]))
    once = heard(tmp_path / "a.wav", start_s=0.75, region=region)
    np.testing.assert_array_equal(once, part)
    backwards = heard(
        tmp_path / "a.wav", start_s=1.0, region=region, is_looping=True, is_reversed=True, limit=12_000 + 36_000
    )
    np.testing.assert_array_equal(backwards, np.concatenate([part[:12_000][::-1], part[::-1]]))


def test_that_a_whole_sound_is_looped(tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav", seconds=0.5)
    looped = heard(tmp_path / "a.wav", is_looping=True, limit=60_000)
    np.testing.assert_array_equal(looped, np.concatenate([sound, sound, sound])[:60_000])


def test_that_started_outside_of_its_region_a_sound_plays_to_its_end(tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    played = heard(tmp_path / "a.wav", start_s=3.0, region=Span(0.5, 1.0))
    np.testing.assert_array_equal(played, sound[3 * 48_000 :])


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 96_000, 192_000, 384_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_that_every_rate_and_number_of_channels_keeps_its_pitch(tmp_path: Path, rate_hz: int, channels: int) -> None:
    sound = np.repeat(tone(0.5, rate_hz, frequency_hz=1000.0), channels, axis=1)
    path = write_sound(tmp_path / "a.wav", sound, rate_hz, subtype="FLOAT")
    played = heard(path)
    expected = np.repeat(tone(0.5, 48_000, frequency_hz=1000.0), 2, axis=1)
    assert abs(len(played) - 24_000) <= 1
    np.testing.assert_allclose(played[500:23_000], expected[500:23_000], atol=2e-3)


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.37, 2.0, 4.0])
def test_that_twice_as_fast_is_an_octave_higher(tmp_path: Path, speed: float) -> None:
    path = write_sound(tmp_path / "a.wav", tone(1.0, frequency_hz=500.0), subtype="FLOAT")
    played = heard(path, speed=speed)[:, 0]
    assert len(played) == pytest.approx(48_000 / speed, abs=2)
    spectrum = np.abs(np.fft.rfft(played * np.hanning(len(played))))
    found_hz = np.argmax(spectrum) * 48_000 / len(played)
    assert found_hz == pytest.approx(500.0 * speed, abs=2 * 48_000 / len(played))


def test_that_the_moment_heard_follows_speed_direction_and_loops(tmp_path: Path) -> None:
    ramp_file(tmp_path / "a.wav")
    made = rendition(tmp_path / "a.wav", start_s=1.0, speed=2.0)
    while made.next() is not None:
        pass
    assert made.source_time_s(0) == 1.0
    assert made.source_time_s(24_000) == pytest.approx(2.0)
    assert made.source_time_s(10**7) == pytest.approx(4.0)
    backwards = rendition(tmp_path / "a.wav", is_reversed=True)
    while backwards.next() is not None:
        pass
    assert backwards.source_time_s(0) == pytest.approx(4.0)
    assert backwards.source_time_s(48_000) == pytest.approx(3.0)
    looped = rendition(tmp_path / "a.wav", start_s=0.5, region=Span(0.5, 1.0), is_looping=True)
    for _ in range(20):
        looped.next()
    assert looped.source_time_s(23_999) == pytest.approx(1.0, abs=1e-3)
    assert looped.source_time_s(24_001) == pytest.approx(0.5, abs=1e-3)
    assert looped.source_time_s(36_000) == pytest.approx(0.75)


def test_that_silence_is_skipped_and_sounds_are_not_touched(tmp_path: Path) -> None:
    burst = noise(0.5, channels=2) + 0.01
    gap = np.zeros((3 * 48_000, 2), dtype=np.float32)
    path = write_sound(tmp_path / "a.wav", np.concatenate([gap, burst, gap, burst, gap]), subtype="FLOAT")
    played = heard(path, skips_silence=True)
    kept_ms = len(played) / 48
    assert kept_ms == pytest.approx(2 * (500 + 30 + 250), abs=3)
    loud = np.flatnonzero(np.abs(played).max(axis=1) > 0)
    assert loud[0] / 48 == pytest.approx(30, abs=1)
    np.testing.assert_array_equal(played[loud[0] : loud[0] + len(burst)], burst)


def test_that_the_moment_heard_jumps_with_the_silence(tmp_path: Path) -> None:
    burst = noise(0.5) + 0.01
    gap = np.zeros((3 * 48_000, 1), dtype=np.float32)
    path = write_sound(tmp_path / "a.wav", np.concatenate([burst, gap, burst]), subtype="FLOAT")
    made = rendition(path, skips_silence=True)
    while made.next() is not None:
        pass
    assert made.source_time_s(24_000) == pytest.approx(0.5, abs=1e-3)
    after = round((0.5 + 0.25 + 0.03) * 48_000)
    assert made.source_time_s(after) == pytest.approx(3.5, abs=2e-3)


def test_that_silence_skipping_does_not_depend_on_the_blocks() -> None:
    rng = np.random.default_rng(5)
    sound = (noise(4.0) * np.repeat(rng.random(40) > 0.6, 4_800)[:, None]).astype(np.float32)

    def kept(size: int) -> list[tuple[int, int]]:
        skipper, places = SilenceSkipper(48_000, 1), []
        for start in range(0, len(sound), size):
            for offset, part in skipper.push(sound[start : start + size]):
                places += range(start + offset, start + offset + len(part))
        for offset, part in skipper.push(sound[:0], last=True):
            places += range(len(sound) + offset, len(sound) + offset + len(part))
        return places

    assert kept(480) == kept(7_919) == kept(len(sound))


def test_that_a_loop_of_nothing_but_silence_goes_on(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", np.zeros((9_600, 1), dtype=np.float32))
    assert len(heard(path, skips_silence=True, is_looping=True, limit=48_000)) == 48_000


def test_that_one_channel_can_be_heard_alone(tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav", seconds=0.2, channels=4)
    played = heard(tmp_path / "a.wav", channel=3)
    np.testing.assert_array_equal(played, np.repeat(sound[:, 3:4], 2, axis=1))


@pytest.mark.parametrize("channels", range(1, 17))
@pytest.mark.parametrize("sides", [1, 2])
def test_that_no_down_mix_can_clip_and_no_side_is_silent(channels: int, sides: int) -> None:
    matrix = mixing_matrix(channels, sides)
    assert matrix.shape == (channels, sides)
    assert (matrix >= 0).all()
    assert matrix.sum(axis=0).max() == pytest.approx(1.0)
    np.testing.assert_allclose(matrix.sum(axis=0), matrix.sum(axis=0)[0])


def test_that_the_lfe_of_5_1_is_left_out_and_its_centre_is_on_both_sides() -> None:
    matrix = mixing_matrix(6, 2)
    assert not matrix[3].any()
    assert matrix[2, 0] == matrix[2, 1] == pytest.approx(matrix[0, 0] * 2**-0.5)
    assert matrix[4, 1] == 0
    assert matrix[5, 0] == 0


def test_that_blocks_are_decoded_once(tmp_path: Path) -> None:
    ramp_file(tmp_path / "a.wav")
    cache = BlockCache()
    heard(tmp_path / "a.wav", cache=cache)
    cursor = SourceCursor(tmp_path / "a.wav", cache)
    assert cursor._sound is None, "the header is remembered"
    for index in range(4):
        assert len(cursor.block(index)) == 48_000
    assert cursor._sound is None, "the blocks are remembered"


def test_that_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    cache = BlockCache()
    ramp_file(tmp_path / "a.wav", seconds=1.0)
    heard(tmp_path / "a.wav", cache=cache)
    sound = ramp_file(tmp_path / "a.wav", seconds=1.5)
    np.testing.assert_array_equal(heard(tmp_path / "a.wav", cache=cache), sound)


def test_that_the_cache_stays_within_its_limit(tmp_path: Path) -> None:
    ramp_file(tmp_path / "a.wav", seconds=10.0)
    cache = BlockCache(limit_bytes=3 * 48_000 * 8)
    heard(tmp_path / "a.wav", cache=cache)
    assert cache.size_bytes <= 3 * 48_000 * 8


def test_that_what_libav_decodes_can_be_entered_anywhere(tmp_path: Path) -> None:
    sound = tone(5.0, channels=2)
    path = write_with_libav(tmp_path / "a.m4a", sound, codec="alac", container="ipod")
    whole = heard(path)
    np.testing.assert_array_equal(heard(path, start_s=3.25), whole[round(3.25 * 48_000) :])
    np.testing.assert_array_equal(heard(path, is_reversed=True), whole[::-1])


@pytest.mark.parametrize(("codec", "container"), [("alac", "ipod"), ("pcm_s24le", "mov")])
def test_that_a_place_far_into_a_video_container_is_reached_by_a_jump(
    tmp_path: Path, codec: str, container: str
) -> None:
    rng = np.random.default_rng(4)
    sound = np.cumsum(rng.normal(0, 0.001, (40 * 8_000, 2)), axis=0).astype(np.float32)
    path = write_with_libav(tmp_path / "a.mov", np.clip(sound, -0.9, 0.9), 8_000, codec=codec, container=container)
    with open_audio(path) as whole:
        expected = np.concatenate([block.copy() for block in whole.blocks()])
    with open_audio(path) as stream:
        stream.skip_to(35.0, quick=True)
        part = np.concatenate([block.copy() for block in stream.blocks()])
    np.testing.assert_array_equal(part, expected[35 * 8_000 :])
    with open_audio(path) as stream:
        stream.skip_to(60.0, quick=True)
        assert not list(stream.blocks()), "behind the end there is nothing"


def test_that_a_jump_in_aac_lands_on_the_sample(tmp_path: Path) -> None:
    sound = tone(30.0, channels=2, frequency_hz=333.0) * np.linspace(0.2, 1, 30 * 48_000, dtype=np.float32)[:, None]
    path = write_with_libav(tmp_path / "a.m4a", sound, codec="aac", container="ipod")
    with open_audio(path) as whole:
        expected = np.concatenate([block.copy() for block in whole.blocks()])
    with open_audio(path) as stream:
        stream.skip_to(25.0, quick=True)
        part = np.concatenate([block.copy() for block in stream.blocks()])
    assert len(part) == len(expected) - 25 * 48_000
    np.testing.assert_allclose(part, expected[25 * 48_000 :], atol=2e-3)
