"""Sound devices: which there are, and streams to and from them, through PortAudio.

PortAudio is loaded when a device is first asked for, so that a machine without it can do everything else. The player
and the recorder take the functions of this module through their constructors, and tests give them others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import KnownError
from core.types import FloatArray

_log = logging.getLogger(__name__)
_open_streams: set[int] = set()

# Long enough for a callback in Python beside a busy window, short enough to feel immediate.
_LATENCY_S = 0.03


class DeviceError(KnownError):
    """A sound device is missing, busy or gone."""


@dataclass(frozen=True, slots=True)
class SoundDevice:
    """A device that sounds can go to or come from.

    Attributes:
        name: Its name as the system gives it.
        host: The system's interface it is reached by ("ALSA", "Core Audio", "Windows WASAPI").
        channels: Number of its channels in the direction asked for.
        sample_rate_hz: The rate it prefers.
        is_default: Whether the system would choose it.
    """

    name: str
    host: str
    channels: int
    sample_rate_hz: int
    is_default: bool = False

    @property
    def key(self) -> str:
        """What settings store: numbers of devices change when one is plugged in, names seldom do."""
        return f"{self.host}: {self.name}"


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """Where sounds are played.

    Attributes:
        device: `SoundDevice.key`, or "" for whatever the system prefers.
        first_channel: The device's channel that the left side goes to, from 0; the right side goes to the next.
    """

    device: str = ""
    first_channel: int = 0


Fill = Callable[[FloatArray], None]
Take = Callable[[FloatArray], None]
Ended = Callable[[], None]


class Stream(Protocol):
    """A running stream of a device.

    Attributes:
        device: Its name, for messages.
        sample_rate_hz: Samples per second and channel.
        channels: Channels of the arrays its callback gets.
        latency_s: From the callback to the ear, as far as the system knows.
    """

    device: str
    sample_rate_hz: int
    channels: int
    latency_s: float

    def close(self) -> None:
        """Stop at once and let go of the device; can be called again, and never raises."""


class OpenOutput(Protocol):
    """Opens and starts an output."""

    def __call__(self, choice: OutputChoice, fill: Fill, ended: Ended) -> Stream:
        """Open a device and start it.

        Args:
            choice: Which.
            fill: Called on the device's thread with an array (n, channels) float32 to write all of.
            ended: Called on any thread when the stream ends by itself, because its device went away.

        Raises:
            DeviceError: There is none, or it cannot be opened.
        """


class OpenInput(Protocol):
    """Opens and starts an input."""

    def __call__(self, device: str, take: Take, ended: Ended) -> Stream:
        """Open a device and start it; arguments and errors as `OpenOutput`, `take` gets (n, channels) to copy."""


def output_devices() -> list[SoundDevice]:
    """All devices that can play, the system's choice first.

    Raises:
        DeviceError: PortAudio is not installed.
    """
    return _devices("output")


def input_devices() -> list[SoundDevice]:
    """All devices that can record, the system's choice first.

    Raises:
        DeviceError: PortAudio is not installed.
    """
    return _devices("input")


def look_again() -> None:
    """Have PortAudio look for devices that were plugged in since. Does nothing while a stream is open.

    Raises:
        DeviceError: PortAudio is not installed, or does not start again.
    """
    portaudio = _portaudio()
    if _open_streams:
        return
    try:
        # The library offers no other way than to start anew.
        portaudio._terminate()
        portaudio._initialize()
    except portaudio.PortAudioError as error:
        raise DeviceError(f"The system's sound devices cannot be listed ({_text(error)}).") from error


def open_output(choice: OutputChoice, fill: Fill, ended: Ended) -> Stream:
    """See `OpenOutput`. The stream has the device's own rate and as many channels as the choice needs.

    What PortAudio knows of the devices dates from its start; if it fails, it looks again and a second attempt is made.
    """
    try:
        return _open_output(choice, fill, ended)
    except DeviceError:
        look_again()
        return _open_output(choice, fill, ended)


def _open_output(choice: OutputChoice, fill: Fill, ended: Ended) -> Stream:
    portaudio = _portaudio()
    index, info = _find(portaudio, choice.device, "output")
    available = int(info["max_output_channels"])
    if choice.first_channel >= available:
        raise DeviceError(
            f"“{info['name']}” has {available} channels, so that nothing can go to channel {choice.first_channel + 1}.",
            "Choose other channels in the player's output menu.",
        )
    channels = min(available, choice.first_channel + 2)

    def callback(out: FloatArray, _frames: int, _time: Any, _status: Any) -> None:
        fill(out)

    return _PortAudioStream(portaudio, portaudio.OutputStream, index, info, channels, callback, ended)


def open_input(device: str, take: Take, ended: Ended) -> Stream:
    """See `OpenInput`. The stream has the device's own rate and at most two channels; attempts as `open_output`."""
    try:
        return _open_input(device, take, ended)
    except DeviceError:
        look_again()
        return _open_input(device, take, ended)


def _open_input(device: str, take: Take, ended: Ended) -> Stream:
    portaudio = _portaudio()
    index, info = _find(portaudio, device, "input")
    channels = min(2, int(info["max_input_channels"]))

    def callback(block: FloatArray, _frames: int, _time: Any, _status: Any) -> None:
        take(block)

    return _PortAudioStream(portaudio, portaudio.InputStream, index, info, channels, callback, ended)


class _PortAudioStream:
    """See Stream."""

    def __init__(
        self,
        portaudio: Any,
        make: Callable[..., Any],
        index: int,
        info: dict[str, Any],
        channels: int,
        callback: Callable[..., None],
        ended: Ended,
    ) -> None:
        self._error = portaudio.PortAudioError
        self._closing = False
        self._ended = ended
        self.device = str(info["name"])
        self.sample_rate_hz = round(info["default_samplerate"])
        self.channels = channels
        try:
            self._stream = make(
                samplerate=self.sample_rate_hz,
                device=index,
                channels=channels,
                dtype="float32",
                latency=_LATENCY_S,
                callback=callback,
                finished_callback=self._on_finished,
            )
            self.latency_s = float(self._stream.latency)
            _open_streams.add(id(self))
            self._stream.start()
        except self._error as error:
            self.close()
            raise DeviceError(
                f"“{self.device}” cannot be opened ({_text(error)}).",
                "Another program may be using it; close that program, or choose another device.",
            ) from error

    def close(self) -> None:
        """See Stream."""
        self._closing = True
        stream = getattr(self, "_stream", None)
        if stream is None:
            return
        try:
            stream.close()
        except self._error as error:
            _log.info("closing %s: %s", self.device, _text(error))
        _open_streams.discard(id(self))

    def _on_finished(self) -> None:
        if not self._closing:
            self._ended()


def _portaudio() -> Any:
    """The module sounddevice, loaded at the first need.

    Raises:
        DeviceError: The library behind it is missing or does not start.
    """
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(
            "Sound cannot be played or recorded: the PortAudio library is missing.",
            "Install it (on Debian and Ubuntu the package is libportaudio2) and start Earshot again.",
        ) from error
    return sounddevice


def _devices(direction: str) -> list[SoundDevice]:
    portaudio = _portaudio()
    try:
        hosts = portaudio.query_hostapis()
        default = _default_index(portaudio, direction)
        found = [
            SoundDevice(
                name=str(info["name"]),
                host=str(hosts[info["hostapi"]]["name"]),
                channels=int(info[f"max_{direction}_channels"]),
                sample_rate_hz=round(info["default_samplerate"]),
                is_default=index == default,
            )
            for index, info in enumerate(portaudio.query_devices())
            if info[f"max_{direction}_channels"] > 0
        ]
    except portaudio.PortAudioError as error:
        raise DeviceError(f"The system's sound devices cannot be listed ({_text(error)}).") from error
    return sorted(found, key=lambda device: not device.is_default)


def _default_index(portaudio: Any, direction: str) -> int:
    index = portaudio.default.device["output" if direction == "output" else "input"]
    return -1 if index is None else int(index)


def _find(portaudio: Any, key: str, direction: str) -> tuple[int, dict[str, Any]]:
    """Number and description of a device.

    Raises:
        DeviceError: It is not there.
    """
    what = "play" if direction == "output" else "record"
    try:
        hosts = portaudio.query_hostapis()
        infos = list(portaudio.query_devices())
    except portaudio.PortAudioError as error:
        raise DeviceError(f"The system's sound devices cannot be listed ({_text(error)}).") from error
    usable = [(index, info) for index, info in enumerate(infos) if info[f"max_{direction}_channels"] > 0]
    if not usable:
        raise DeviceError(
            f"There is no device on this machine that can {what} sound.",
            "Plug one in or switch it on in the system's sound settings, and try again.",
        )
    if not key:
        default = _default_index(portaudio, direction)
        return next((found for found in usable if found[0] == default), usable[0])
    for index, info in usable:
        if key == f"{hosts[info['hostapi']]['name']}: {info['name']}":
            return index, info
    raise DeviceError(f"The device “{key.partition(': ')[2] or key}” is not there.", "Plug it in, or choose another.")


def _text(error: Exception) -> str:
    return str(error.args[0] if error.args else error).rstrip(". ")
