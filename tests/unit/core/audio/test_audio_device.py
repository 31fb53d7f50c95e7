"""Sound devices, with a stand-in for PortAudio."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.audio import device
from core.audio.device import DeviceError, OutputChoice, input_devices, open_input, open_output, output_devices


class PortAudioError(Exception):
    """As sounddevice raises it."""


class FakePortAudio:
    """The part of sounddevice that is used; devices plugged in are seen after the next start only, as in the real."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.plugged: list[dict[str, Any]] = []
        self.seen: list[dict[str, Any]] = []
        self.starts = 0
        self.busy: set[str] = set()
        self.streams: list[FakeStream] = []

    @property
    def default(self) -> Any:
        numbers = {"output": self._first("max_output_channels"), "input": self._first("max_input_channels")}
        return SimpleNamespace(device=numbers)

    def _first(self, key: str) -> int:
        return next((number for number, info in enumerate(self.seen) if info[key]), -1)

    def _terminate(self) -> None:
        self.seen = []

    def _initialize(self) -> None:
        self.starts += 1
        self.seen = list(self.plugged)

    def query_hostapis(self) -> list[dict[str, str]]:
        return [{"name": "host"}]

    def query_devices(self) -> list[dict[str, Any]]:
        return self.seen

    def OutputStream(self, **how: Any) -> FakeStream:  # noqa: N802
        return self._stream(how)

    def InputStream(self, **how: Any) -> FakeStream:  # noqa: N802
        return self._stream(how)

    def _stream(self, how: dict[str, Any]) -> FakeStream:
        if self.seen[how["device"]]["name"] in self.busy:
            raise PortAudioError("Device unavailable", -9985)
        stream = FakeStream(how)
        self.streams.append(stream)
        return stream


class FakeStream:
    def __init__(self, how: dict[str, Any]) -> None:
        self.how = how
        self.latency = 0.02
        self.is_started = self.is_closed = False
        self.finished: Callable[[], None] = how["finished_callback"]

    def start(self) -> None:
        self.is_started = True

    def close(self) -> None:
        self.is_closed = True
        self.finished()


def speakers(name: str = "Speakers", channels: int = 2, rate_hz: float = 44_100.0) -> dict[str, Any]:
    return {
        "name": name, "hostapi": 0, "max_output_channels": channels, "max_input_channels": 0,
        "default_samplerate": rate_hz,
    }  # fmt: skip


def microphone(name: str = "Microphone") -> dict[str, Any]:
    return {**speakers(name), "max_output_channels": 0, "max_input_channels": 4}


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio()
    monkeypatch.setattr(device, "_portaudio", lambda: fake)
    monkeypatch.setattr(device, "_open_streams", set())
    fake.plugged = [microphone(), speakers(), speakers("Interface", 8, 96_000.0)]
    fake._initialize()
    return fake


def nothing() -> None: ...


def test_that_devices_are_listed_by_direction_with_the_systems_first(portaudio: FakePortAudio) -> None:
    portaudio.plugged = [speakers("B"), microphone(), speakers("A")]
    portaudio._initialize()
    assert [(found.name, found.is_default) for found in output_devices()] == [("B", True), ("A", False)]
    assert [found.key for found in input_devices()] == ["host: Microphone"]


def test_that_a_stream_has_the_devices_own_rate_and_the_channels_it_needs(portaudio: FakePortAudio) -> None:
    stream = open_output(OutputChoice("host: Interface", 2), lambda out: out.fill(0.5), nothing)
    assert (stream.sample_rate_hz, stream.channels, stream.device) == (96_000, 4, "Interface")
    how = portaudio.streams[0].how
    assert (how["device"], how["dtype"], how["samplerate"]) == (2, "float32", 96_000)
    out = np.zeros((4, 4), dtype=np.float32)
    how["callback"](out, 4, None, None)
    assert (out == 0.5).all()
    stream.close()


def test_that_closing_is_not_vanishing(portaudio: FakePortAudio) -> None:
    ended: list[int] = []
    stream = open_output(OutputChoice(), lambda out: None, lambda: ended.append(1))
    stream.close()
    assert not ended
    other = open_output(OutputChoice(), lambda out: None, lambda: ended.append(1))
    portaudio.streams[-1].finished()
    assert ended == [1]
    other.close()


def test_that_a_device_plugged_in_later_is_found(portaudio: FakePortAudio) -> None:
    portaudio.plugged = []
    portaudio._initialize()
    with pytest.raises(DeviceError, match="no device"):
        open_output(OutputChoice(), lambda out: None, nothing)
    portaudio.plugged = [speakers("Headphones")]
    stream = open_output(OutputChoice("host: Headphones"), lambda out: None, nothing)
    assert stream.device == "Headphones"
    stream.close()


def test_that_looking_again_leaves_open_streams_alone(portaudio: FakePortAudio) -> None:
    stream = open_output(OutputChoice(), lambda out: None, nothing)
    starts = portaudio.starts
    device.look_again()
    assert portaudio.starts == starts
    stream.close()
    device.look_again()
    assert portaudio.starts == starts + 1


def test_that_a_busy_device_and_channels_that_are_not_there_are_messages(portaudio: FakePortAudio) -> None:
    portaudio.busy = {"Speakers"}
    with pytest.raises(DeviceError, match="cannot be opened") as busy:
        open_output(OutputChoice(), lambda out: None, nothing)
    assert "Another program" in busy.value.way_out
    with pytest.raises(DeviceError, match="2 channels"):
        open_output(OutputChoice("host: Speakers", 4), lambda out: None, nothing)
    with pytest.raises(DeviceError, match="Ghost"):
        open_output(OutputChoice("host: Ghost"), lambda out: None, nothing)


def test_that_a_microphone_is_opened_with_two_channels_at_most(portaudio: FakePortAudio) -> None:
    taken: list[np.ndarray] = []
    stream = open_input("", taken.append, nothing)
    assert (stream.device, stream.channels) == ("Microphone", 2)
    portaudio.streams[0].how["callback"](np.zeros((8, 2), dtype=np.float32), 8, None, None)
    assert taken[0].shape == (8, 2)
    stream.close()
