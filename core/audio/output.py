"""The player's stream: opened at the first need, kept open, and told apart from one that is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from core.audio.device import DeviceError, OpenOutput, OutputChoice, Stream
from core.audio.mixer import Mixer, Voice
from core.types import FloatArray

_LONGEST_WAIT_S = 1.0


class Output:
    """A device and the mixer that fills it. Its methods may be called from any thread.

    Args:
        open_stream: How to open a device.
        choice: Which.
        on_ended: Called, on any thread, when there is reason to call `check` at once.
        on_lost: Called, on the thread that calls `check`, when the device went away.
    """

    def __init__(
        self,
        open_stream: OpenOutput,
        choice: OutputChoice,
        *,
        on_ended: Callable[[], None],
        on_lost: Callable[[DeviceError], None],
    ) -> None:
        self._open_stream = open_stream
        self._on_ended = on_ended
        self._on_lost = on_lost
        # Opening may take long; who only asks for the mixer does not wait for it.
        self._opening = threading.Lock()
        self._stream: Stream | None = None
        self._has_ended = threading.Event()
        self._seen_callbacks = -1
        self._seen_at = 0.0
        self._gain = 1.0
        self._is_closed = False
        self._is_stale = False
        self.choice = choice
        self.is_paused = False
        self.mixer: Mixer | None = None

    @property
    def is_open(self) -> bool:
        """Whether a device is open."""
        return self._stream is not None

    @property
    def latency_s(self) -> float:
        """From the mixer to the ear."""
        stream = self._stream
        return 0.0 if stream is None else stream.latency_s

    def ensure(self) -> tuple[Mixer, DeviceError | None]:
        """Open the device unless it is open.

        Returns:
            The mixer, and what to tell the user where another device than theirs had to be taken.

        Raises:
            DeviceError: There is none to play on.
        """
        with self._opening:
            if self._is_closed:
                raise DeviceError("The player is closed.")
            if self._is_stale:
                self._close()
            if self.mixer is not None and self._stream is not None:
                return self.mixer, None
            try:
                return self._open(self.choice), None
            except DeviceError as error:
                if not self.choice.device:
                    raise
                mixer = self._open(OutputChoice())
                message = f"{error.message} Sounds play on the system's own device instead."
                return mixer, DeviceError(message, "Choose a device in the player's output menu.")

    def choose(self, choice: OutputChoice) -> None:
        """Use another device at the next need."""
        self.choice = choice
        self._is_stale = True

    def rest(self) -> None:
        """Close the device until the next need."""
        with self._opening:
            self._close()

    def close(self) -> None:
        """Close the device for good; one that hangs while it is being opened is left to the end of the process."""
        self._is_closed = True
        if self._opening.acquire(timeout=_LONGEST_WAIT_S):
            try:
                self._close()
            finally:
                self._opening.release()

    def check(self, *, stalled_s: float) -> None:
        """Find out whether the device is still there, and close it and say so if not."""
        stream, mixer = self._stream, self.mixer
        if stream is None or mixer is None:
            return
        now = time.monotonic()
        if mixer.callbacks != self._seen_callbacks:
            self._seen_callbacks, self._seen_at = mixer.callbacks, now
        if not self._has_ended.is_set() and now - self._seen_at < stalled_s:
            return
        with self._opening:
            if stream is not self._stream:
                return
            self._close()
        self._on_lost(
            DeviceError(
                f"The sound device “{stream.device}” is gone.",
                "Plug it in again or choose another one, then press play to go on.",
            )
        )

    def play(self, voice: Voice | None) -> None:
        """Fade to a voice, or to silence."""
        if self.mixer is not None:
            self.mixer.voice = voice

    def set_paused(self, is_paused: bool) -> None:
        """Be silent for a while, or go on."""
        self.is_paused = is_paused
        if self.mixer is not None:
            self.mixer.is_paused = is_paused

    def set_gain(self, gain: float) -> None:
        """Multiply everything."""
        self._gain = gain
        if self.mixer is not None:
            self.mixer.gain = gain

    def _open(self, choice: OutputChoice) -> Mixer:
        relay = _Relay()
        self._has_ended = ended = threading.Event()

        def end() -> None:
            ended.set()
            self._on_ended()

        stream = self._open_stream(choice, relay.fill, end)
        mixer = Mixer(stream.sample_rate_hz, stream.channels, choice.first_channel)
        mixer.gain, mixer.is_paused = self._gain, self.is_paused
        self._seen_callbacks, self._seen_at = -1, time.monotonic()
        self._stream, self.mixer = stream, mixer
        relay.mixer = mixer
        return mixer

    def _close(self) -> None:
        stream, self._stream, self.mixer = self._stream, None, None
        self._is_stale = False
        if stream is not None:
            stream.close()


class _Relay:
    """Fills a stream's buffers from its beginning on: what a mixer needs to know is known only once it is open."""

    def __init__(self) -> None:
        self.mixer: Mixer | None = None

    def fill(self, out: FloatArray) -> None:
        """See Mixer."""
        if self.mixer is None:
            out.fill(0)
        else:
            self.mixer.fill(out)
