"""Clips from a microphone, with a test in the place of the microphone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_device import FakeInput
from sound import tone

from core.audio.cache import CacheFolder
from core.audio.decode import open_audio
from core.audio.device import DeviceError
from core.audio.recording import MAX_S, Recorder, RecordingError


@pytest.fixture
def microphone() -> FakeInput:
    return FakeInput(channels=2)


@pytest.fixture
def recorder(microphone: FakeInput, tmp_path: Path) -> Recorder:
    return Recorder(CacheFolder(tmp_path / "cache", 0), open_stream=microphone)


def test_that_a_clip_holds_what_was_heard(recorder: Recorder, microphone: FakeInput) -> None:
    sound = tone(1.0, channels=2)
    recorder.start()
    buffer = np.empty((480, 2), dtype=np.float32)
    for start in range(0, 48_000, 480):
        buffer[:] = sound[start : start + 480]  # a device uses one buffer again and again
        microphone.push(buffer)
    status = recorder.status()
    assert (status.is_recording, status.duration_s) == (True, 1.0)
    path = recorder.stop()
    with open_audio(path) as clip:
        assert clip.info.sample_rate_hz == 48_000
        heard = np.concatenate([block.copy() for block in clip.blocks()])
    np.testing.assert_allclose(heard, sound, atol=1e-6)
    assert microphone.stream is not None
    assert microphone.stream.is_closed
    assert not recorder.status().is_recording


def test_that_the_level_is_that_since_the_last_look(recorder: Recorder, microphone: FakeInput) -> None:
    recorder.start()
    microphone.push(np.full((480, 2), 0.25, dtype=np.float32))
    microphone.push(np.full((480, 2), -0.5, dtype=np.float32))
    assert recorder.status().peak == 0.5
    microphone.push(np.full((480, 2), 0.125, dtype=np.float32))
    status = recorder.status()
    assert (status.peak, status.has_clipped) == (0.125, False)
    microphone.push(np.full((480, 2), 1.0, dtype=np.float32))
    assert recorder.status().has_clipped


def test_that_no_microphone_is_a_message(recorder: Recorder, microphone: FakeInput) -> None:
    microphone.is_missing = True
    with pytest.raises(DeviceError, match="no device"):
        recorder.start()
    with pytest.raises(RecordingError):
        recorder.stop()


def test_that_a_microphone_that_vanishes_leaves_what_it_heard(recorder: Recorder, microphone: FakeInput) -> None:
    recorder.start()
    microphone.push(tone(0.5, channels=2))
    assert microphone.stream is not None
    microphone.stream.vanish()
    status = recorder.status()
    assert not status.is_recording
    assert status.duration_s == 0.5
    problem = recorder.take_problem()
    assert problem is not None
    assert "gone" in problem.message
    assert recorder.take_problem() is None
    assert recorder.stop().is_file()


def test_that_a_slip_of_the_hand_is_no_clip(recorder: Recorder, microphone: FakeInput) -> None:
    recorder.start()
    microphone.push(tone(0.01, channels=2))
    with pytest.raises(RecordingError, match="too short"):
        recorder.stop()


def test_that_a_recording_ends_by_itself(recorder: Recorder, microphone: FakeInput) -> None:
    recorder.start()
    block = np.zeros((48_000, 2), dtype=np.float32)
    for _ in range(round(MAX_S)):
        microphone.push(block)
    assert not recorder.status().is_recording
    assert microphone.stream is not None
    assert microphone.stream.is_closed


def test_that_a_clip_stays_while_it_is_a_query(recorder: Recorder, microphone: FakeInput, tmp_path: Path) -> None:
    recorder.start()
    microphone.push(tone(0.5, channels=2))
    path = recorder.stop()
    cache = recorder.cache
    cache.trim()
    assert path.is_file()
    cache.release(path)
    cache.trim()
    assert not path.exists()


def test_that_cancel_keeps_nothing(recorder: Recorder, microphone: FakeInput, tmp_path: Path) -> None:
    recorder.start()
    microphone.push(tone(0.5, channels=2))
    recorder.cancel()
    assert microphone.stream is not None
    assert microphone.stream.is_closed
    assert not (tmp_path / "cache").exists()
