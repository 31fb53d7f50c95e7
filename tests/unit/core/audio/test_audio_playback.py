"""The player, with a test in the place of the sound device."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_device import FakeOutput, ramp_file, wait_until
from sound import noise, tone, write_sound

from core.audio import decode
from core.audio import device as device_module
from core.audio.cursor import BlockCache
from core.audio.device import DeviceError, OutputChoice, output_devices
from core.audio.mixer import Mixer, Ring, Voice
from core.audio.playback import Player, PlayState
from core.audio.rendition import PlayOptions
from core.types import Span


@pytest.fixture
def output() -> FakeOutput:
    return FakeOutput()


@pytest.fixture
def player(output: FakeOutput) -> Iterator[Player]:
    player = Player(output)
    yield player
    player.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("earshot")]


def playing(player: Player) -> bool:
    return player.status().state is PlayState.PLAYING


def start(player: Player, path: Path, start_s: float = 0.0, **how) -> None:
    player.play(path, start_s, **how)
    wait_until(lambda: playing(player), "it plays")


def test_that_a_key_press_plays_the_file_from_its_first_sample(
    player: Player, output: FakeOutput, tmp_path: Path
) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    np.testing.assert_array_equal(output.pull_sound(96_000), sound[:96_000])


def test_that_it_plays_from_the_matched_moment(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav", 2.5)
    played = output.pull_sound(24_000)
    # The first 4 ms are faded in, since a sound entered in its middle would click.
    np.testing.assert_array_equal(played[192:], sound[120_192:144_000])
    assert player.status().position_s == pytest.approx(3.0, abs=0.02)


def test_that_another_row_takes_over_without_a_gap(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    ramp_file(tmp_path / "a.wav")
    steady = np.full((96_000, 2), 0.25, dtype=np.float32)
    write_sound(tmp_path / "b.wav", steady, subtype="FLOAT")
    start(player, tmp_path / "a.wav", 2.0)
    output.pull_sound(4_800)
    player.play(tmp_path / "b.wav")
    wait_until(lambda: playing(player) and player.status().path == tmp_path / "b.wav")
    played = output.pull(4_800)
    assert (np.abs(played).min(axis=1) > 0.2).all(), "no silence between the two"
    np.testing.assert_array_equal(played[192:], steady[192:4_800])


def test_that_the_sound_before_goes_on_until_the_next_one_is_open(
    player: Player, output: FakeOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = np.full((96_000, 2), 0.25, dtype=np.float32)
    write_sound(tmp_path / "a.wav", steady, subtype="FLOAT")
    write_sound(tmp_path / "slow.wav", steady, subtype="FLOAT")
    start(player, tmp_path / "a.wav")
    output.pull_sound(480)
    may_open = threading.Event()
    original = decode.open_audio

    def slowly(path: Path):
        if path.name == "slow.wav":
            may_open.wait(10)
        return original(path)

    monkeypatch.setattr("core.audio.cursor.open_audio", slowly)
    player.play(tmp_path / "slow.wav")
    assert output.pull(480).min() == 0.25
    assert player.status().state is PlayState.LOADING
    # ... but not for long, since what is heard would not be what is shown.
    wait_until(lambda: not output.pull(480).any(), "the old sound ends")
    may_open.set()
    wait_until(lambda: playing(player))
    assert output.pull_sound(480).min() == 0.25


def test_that_a_slow_file_does_not_hold_up_the_next_one(
    player: Player, output: FakeOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp_file(tmp_path / "slow.wav")
    sound = ramp_file(tmp_path / "quick.wav", channels=1)
    may_open = threading.Event()
    original = decode.open_audio

    def slowly(path: Path):
        if path.name == "slow.wav":
            may_open.wait(10)
        return original(path)

    monkeypatch.setattr("core.audio.cursor.open_audio", slowly)
    player.play(tmp_path / "slow.wav")
    start(player, tmp_path / "quick.wav")
    may_open.set()
    np.testing.assert_array_equal(output.pull_sound(48_000), np.repeat(sound[:48_000], 2, axis=1))


def test_that_pause_is_silence_and_resume_goes_on_from_there(
    player: Player, output: FakeOutput, tmp_path: Path
) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    output.pull_sound(24_000)
    player.toggle()
    output.pull(480)
    assert player.status().state is PlayState.PAUSED
    assert not output.pull(4_800).any()
    at_s = player.status().position_s
    assert not output.pull(4_800).any()
    assert player.status().position_s == at_s
    player.toggle()
    played = output.pull_sound(4_800)
    begin = round(at_s * 48_000)
    np.testing.assert_array_equal(played[192:], sound[begin + 192 : begin + 4_800])


def test_that_stop_is_silence_and_play_begins_anew(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav", 1.0)
    output.pull_sound(24_000)
    player.stop()
    output.pull(480)
    assert not output.pull(480).any()
    status = player.status()
    assert (status.state, status.position_s, status.path) == (PlayState.STOPPED, 1.0, tmp_path / "a.wav")
    player.toggle()
    wait_until(lambda: playing(player))
    assert output.pull_sound(960)[300:].min() > 0.1
    assert player.status().position_s == pytest.approx(1.0, abs=0.05)


def test_that_seeking_lands_on_the_sample(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    output.pull_sound(4_800)
    player.seek(3.0)
    wait_until(lambda: playing(player) and player.status().position_s >= 3.0)
    played = output.pull(4_800)
    np.testing.assert_array_equal(played[192:], sound[144_192:148_800])


def test_that_seeking_at_rest_is_where_play_begins(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    player.stop()
    player.seek(2.0)
    assert player.status().position_s == 2.0
    output.pull(480)
    player.resume()
    wait_until(lambda: playing(player))
    np.testing.assert_array_equal(output.pull(4_800)[192:], sound[96_192:100_800])


def test_that_options_change_while_it_plays(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    output.pull_sound(48_000)
    at_s = player.status().position_s
    player.set_options(PlayOptions(is_reversed=True))
    wait_until(lambda: playing(player))
    begin = round(at_s * 48_000)
    np.testing.assert_array_equal(output.pull(4_800)[192:], sound[begin - 4_800 : begin - 192][::-1])
    assert player.status().position_s == pytest.approx(at_s - 0.1, abs=1e-3)


def test_that_a_region_loops_for_as_long_as_asked(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav", 0.5, options=PlayOptions(region=Span(0.5, 0.75), is_looping=True))
    part = sound[24_000:36_000]
    played = output.pull_sound(120_000)
    np.testing.assert_array_equal(played[12_000:], np.concatenate([part] * 9))
    assert 0.5 <= player.status().position_s <= 0.75


def test_that_the_end_of_a_sound_is_noticed(output: FakeOutput, tmp_path: Path) -> None:
    changed = threading.Event()
    player = Player(output, on_change=changed.set)
    write_sound(tmp_path / "a.wav", tone(0.2))
    start(player, tmp_path / "a.wav")
    wait_until(lambda: not output.pull(480).any() and player.status().state is PlayState.STOPPED)
    assert changed.is_set()
    assert player.status().position_s == pytest.approx(0.2, abs=0.02)
    player.toggle()
    wait_until(lambda: playing(player))
    assert output.pull_sound(480).any()
    player.close()


def test_that_gain_is_approached_without_a_step(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", np.full((96_000, 2), 0.25, dtype=np.float32), subtype="FLOAT")
    start(player, tmp_path / "a.wav")
    output.pull_sound(480)
    player.set_gain_db(6.0)
    rising = output.pull(480)[:, 0]
    assert np.abs(np.diff(rising)).max() < 0.002
    np.testing.assert_allclose(output.pull(480), 0.25 * 10 ** (6 / 20), rtol=1e-5)
    player.set_gain_db(40.0)
    output.pull(480)
    assert output.pull(480).max() == 1.0, "the device never gets more than full scale"
    assert player.status().peak > 20


def test_that_sounds_go_to_the_channels_chosen(output: FakeOutput, tmp_path: Path) -> None:
    player = Player(output, choice=OutputChoice("host: interface", first_channel=2))
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    played = output.pull_sound(480)
    assert played.shape == (480, 4)
    assert not played[:, :2].any()
    np.testing.assert_array_equal(played[:, 2:], sound[:480])
    player.close()


def test_that_another_device_goes_on_where_the_first_one_was(
    player: Player, output: FakeOutput, tmp_path: Path
) -> None:
    ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    output.pull_sound(48_000)
    first = output.stream
    output.rate_hz = 96_000
    player.set_output(OutputChoice("host: headphones"))
    wait_until(lambda: len(output.streams) == 2 and playing(player))
    assert first.is_closed
    assert output.choices[-1].device == "host: headphones"
    played = output.pull_sound(4_800)
    assert played[2_000, 0] == pytest.approx((1.0 + 2_000 / 96_000) / 4, abs=0.005)


def test_that_no_device_is_a_message_and_no_crash(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    output.missing = {""}
    ramp_file(tmp_path / "a.wav")
    player.prepare([(tmp_path / "a.wav", 0.0)])
    player.play(tmp_path / "a.wav")
    problems = []
    wait_until(lambda: bool(problems.append(player.take_problem()) or problems[-1]))
    assert isinstance(problems[-1], DeviceError)
    assert problems[-1].way_out
    assert player.status().state is PlayState.STOPPED
    output.missing = set()
    player.toggle()
    wait_until(lambda: playing(player), "plugged in, it plays")


def test_that_a_chosen_device_that_is_missing_is_replaced_by_the_systems(output: FakeOutput, tmp_path: Path) -> None:
    player = Player(output, choice=OutputChoice("host: interface"))
    output.missing = {"host: interface"}
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    np.testing.assert_array_equal(output.pull_sound(480), sound[:480])
    problem = player.take_problem()
    assert problem is not None
    assert "interface" in problem.message
    assert "instead" in problem.message
    assert player.take_problem() is None
    player.close()


def test_that_a_device_that_vanishes_is_a_message_and_play_goes_on_later(
    player: Player, output: FakeOutput, tmp_path: Path
) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    output.pull_sound(96_000)
    output.stream.vanish()
    problems = []
    wait_until(lambda: bool(problems.append(player.take_problem()) or problems[-1]))
    assert "gone" in problems[-1].message
    assert output.stream.is_closed
    status = player.status()
    assert status.state is PlayState.STOPPED
    assert status.position_s == pytest.approx(2.0, abs=0.02)
    player.toggle()
    wait_until(lambda: playing(player))
    begin = round(status.position_s * 48_000)
    np.testing.assert_array_equal(output.pull(4_800)[192:], sound[begin + 192 : begin + 4_800])


def test_that_a_file_that_cannot_be_played_is_a_message(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", np.full((96_000, 2), 0.25, dtype=np.float32), subtype="FLOAT")
    (tmp_path / "broken.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEjunk")
    start(player, tmp_path / "a.wav")
    output.pull_sound(480)
    player.play(tmp_path / "broken.wav")
    problems = []
    wait_until(lambda: bool(problems.append(player.take_problem()) or problems[-1]))
    assert "broken.wav" in problems[-1].message
    output.pull(480)
    assert not output.pull(480).any(), "the sound before does not go on"
    player.play(tmp_path / "missing.wav")
    wait_until(lambda: bool(problems.append(player.take_problem()) or problems[-1]))
    assert "no longer there" in problems[-1].message
    start(player, tmp_path / "a.wav")


def test_that_neighbours_are_decoded_before_they_are_played(
    player: Player, output: FakeOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = {name: ramp_file(tmp_path / name, channels=count) for name, count in (("a.wav", 1), ("b.wav", 2))}
    cache = player._cache
    player.prepare([(tmp_path / "a.wav", 0.0), (tmp_path / "b.wav", 2.5)])
    wait_until(lambda: cache.size_bytes == 2 * 48_000 * 4 + 2 * 48_000 * 8)

    may_open = threading.Event()
    original = decode.open_audio

    def late(path: Path):
        may_open.wait(10)
        return original(path)

    monkeypatch.setattr("core.audio.cursor.open_audio", late)
    start(player, tmp_path / "b.wav", 2.5)
    np.testing.assert_array_equal(output.pull_sound(9_600)[192:], sounds["b.wav"][120_192:129_600])
    may_open.set()


def test_that_an_hours_pause_does_not_run_ahead(player: Player, output: FakeOutput, tmp_path: Path) -> None:
    ramp_file(tmp_path / "a.wav", seconds=20.0)
    start(player, tmp_path / "a.wav")
    output.pull_sound(480)
    player.pause()
    wait_until(lambda: player._playing.voice.ring.filled == player._playing.voice.ring.capacity)
    assert player._cache.size_bytes <= 4 * 48_000 * 8


def test_that_a_device_without_a_second_channel_gets_the_average(output: FakeOutput, tmp_path: Path) -> None:
    mixer = Mixer(48_000, channels=1)
    assert mixer.sides == 1
    voice = Voice(Ring(4_800, 1), fades_in=False)
    voice.ring.write(np.full((480, 1), 0.5, dtype=np.float32))
    mixer.voice = voice
    out = np.full((480, 1), np.nan, dtype=np.float32)
    mixer.fill(out)
    assert (out == 0.5).all()


def test_that_a_late_decoder_is_counted_and_leaves_silence() -> None:
    mixer = Mixer(48_000, channels=2)
    voice = Voice(Ring(4_800, 2), fades_in=False)
    voice.ring.write(np.full((100, 2), 0.5, dtype=np.float32))
    mixer.voice = voice
    out = np.full((480, 2), np.nan, dtype=np.float32)
    mixer.fill(out)
    assert out[99, 0] == 0.5
    assert not out[100:].any()
    assert mixer.underruns == 1
    voice.is_complete = True
    mixer.fill(out)
    assert mixer.underruns == 1
    assert voice.is_finished


@pytest.mark.parametrize("sizes", [(1, 479), (480, 480), (5_000, 1_000), (333, 4_096)])
def test_that_a_ring_gives_back_what_it_was_given(sizes: tuple[int, int]) -> None:
    ring, sound, got, given = Ring(1_000, 2), noise(0.2, channels=2), [], 0
    while sum(map(len, got)) < len(sound):
        given += ring.write(sound[given : given + sizes[0]])
        out = np.zeros((sizes[1], 2), dtype=np.float32)
        got.append(out[: ring.read_into(out)])
    np.testing.assert_array_equal(np.concatenate(got), sound)


def test_that_a_machine_without_portaudio_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    class Missing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(DeviceError, match="PortAudio"):
        output_devices()


def test_that_the_real_library_without_a_device_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    sounddevice = pytest.importorskip("sounddevice")
    monkeypatch.setattr(sounddevice, "query_devices", lambda *args: [])
    with pytest.raises(DeviceError, match="no device"):
        device_module.open_output(OutputChoice(), lambda out: None, lambda: None)


def test_that_the_cache_can_be_shared(output: FakeOutput, tmp_path: Path) -> None:
    cache = BlockCache()
    player = Player(output, cache=cache)
    ramp_file(tmp_path / "a.wav")
    start(player, tmp_path / "a.wav")
    player.close()
    assert cache.size_bytes
