"""The player: one sound at a time, at once.

A stream to the device stays open between sounds, so that playing one is no more than handing the device's thread
another ring of samples. Every sound has a thread of its own, which decodes ahead of what is heard; a file that takes
long to open never holds up the next one. The sound before plays on until the new one has samples, so that going
through rows leaves no gap. Neighbours are decoded ahead (`Player.prepare`) into the cache that all of this reads from.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.audio.cursor import BlockCache, SourceCursor
from core.audio.device import DeviceError, OpenOutput, OutputChoice, open_output
from core.audio.mixer import Mixer, Ring, Voice
from core.audio.output import Output
from core.audio.rendition import PlayOptions, Rendition
from core.errors import KnownError, UnusableFileError
from core.types import AudioInfo, FloatArray

_log = logging.getLogger(__name__)

_RING_S = 1.5
_FIRST_S = 0.03
_POLL_S = 0.1
# How long the sound before may play on while the new one is being opened.
_PATIENCE_S = 0.15
# A device whose callbacks stop for so long has gone, even if its driver says nothing.
_STALLED_S = 2.0
_IDLE_S = 60.0
_LONGEST_GOODBYE_S = 1.0


class PlayState(enum.Enum):
    """What the player does."""

    STOPPED = "stopped"
    LOADING = "loading"
    PLAYING = "playing"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class PlaybackStatus:
    """The player at one moment.

    Attributes:
        state: What it does.
        path: The sound that was last played, None before the first.
        position_s: Which moment of the sound is heard now.
        info: What the file's header says, None while it is not known.
        peak: Largest sample of the last buffer, full scale at 1.
        underruns: Buffers that came too late since the stream was opened.
    """

    state: PlayState
    path: Path | None
    position_s: float
    info: AudioInfo | None
    peak: float
    underruns: int


class Player:
    """Plays sounds; its methods return at once and may be called from any thread.

    Args:
        open_stream: How to open a device; tests hand in their own.
        choice: The device to use.
        cache: Of decoded blocks.
        on_change: Called, on any thread, when the state changed by itself: a sound began or ended, or there is a
            problem to take. It must return at once.
    """

    def __init__(
        self,
        open_stream: OpenOutput = open_output,
        *,
        choice: OutputChoice | None = None,
        cache: BlockCache | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._cache = cache or BlockCache()
        self._on_change = on_change
        self._lock = threading.RLock()
        self._options = PlayOptions()
        self._playing: _Playing | None = None
        self._resting: tuple[Path, float] | None = None
        self._problems: list[KnownError] = []
        self._threads: set[threading.Thread] = set()
        self._wanted: list[tuple[Path, float]] = []
        self._attention = threading.Condition()
        self._output = Output(open_stream, choice or OutputChoice(), on_ended=self._call_keeper, on_lost=self._on_lost)
        self._is_closed = False
        self._used_at = time.monotonic()
        self._keeper = threading.Thread(target=self._keep, name="earshot-player", daemon=True)
        self._keeper.start()

    @property
    def options(self) -> PlayOptions:
        """How sounds are played."""
        return self._options

    @property
    def choice(self) -> OutputChoice:
        """Which device is asked for."""
        return self._output.choice

    def play(self, path: Path, start_s: float = 0.0, *, options: PlayOptions | None = None) -> None:
        """Play a sound from a moment of it; what plays now goes on until the first samples are there.

        Args:
            path: The file.
            start_s: Where to begin, in seconds of the sound.
            options: How, from now on; as before by default.
        """
        with self._lock:
            if self._is_closed:
                return
            self._options = options or self._options
            self._output.set_paused(False)
            self._start(path, start_s)

    def prepare(self, sounds: Sequence[tuple[Path, float]]) -> None:
        """Decode the beginnings of sounds that may be played next, in this order; earlier wishes are forgotten.

        It also opens the device, so that the first key press finds it open.
        """
        with self._attention:
            self._wanted = list(sounds)
            self._used_at = time.monotonic()
            self._attention.notify()

    def pause(self) -> None:
        """Be silent, and go on from here later."""
        with self._lock:
            self._output.set_paused(True)

    def resume(self) -> None:
        """Go on after a pause; play the last sound again where it was stopped or has ended."""
        with self._lock:
            playing = self._playing
            if playing is not None and not playing.voice_is_finished and self._output.is_open:
                self._output.set_paused(False)
                self._used_at = time.monotonic()
            elif playing is not None and not playing.voice_is_finished:
                self.play(playing.path, playing.position_s(0.0))
            elif self._resting is not None:
                self.play(*self._resting)

    def toggle(self) -> None:
        """Pause what plays, play what does not."""
        if self.status().state in (PlayState.PLAYING, PlayState.LOADING):
            self.pause()
        else:
            self.resume()

    def stop(self) -> None:
        """Be silent; the next `resume` begins where this sound was begun."""
        with self._lock:
            self._drop()
            self._output.play(None)
            self._output.set_paused(False)

    def seek(self, position_s: float) -> None:
        """Go to a moment of the sound; a sound at rest will begin there."""
        with self._lock:
            playing = self._playing
            if playing is not None and not playing.voice_is_finished:
                self._start(playing.path, max(0.0, position_s), is_seek=True)
            elif self._resting is not None:
                self._drop()
                self._resting = (self._resting[0], max(0.0, position_s))

    def set_options(self, options: PlayOptions) -> None:
        """Play differently from now on, from the moment that is heard now."""
        with self._lock:
            if options == self._options:
                return
            now_s = self.status().position_s
            self._options = options
            playing = self._playing
            if playing is not None and not playing.voice_is_finished:
                self._start(playing.path, now_s, is_seek=True)

    def set_gain_db(self, gain_db: float) -> None:
        """Amplify everything from now on."""
        self._output.set_gain(10 ** (gain_db / 20))

    def set_output(self, choice: OutputChoice) -> None:
        """Use another device, or other channels of it; what plays goes on there."""
        with self._lock:
            if choice == self._output.choice:
                return
            now_s, playing = self.status().position_s, self._playing
            self._output.choose(choice)
            if playing is not None and not playing.voice_is_finished:
                self._start(playing.path, now_s, is_seek=True)

    def release(self) -> None:
        """Let go of the device until the next need, unless something plays; may take as long as the driver needs."""
        if self.status().state in (PlayState.STOPPED, PlayState.PAUSED):
            self._output.rest()

    def status(self) -> PlaybackStatus:
        """What is heard at this moment."""
        with self._lock:
            playing, mixer = self._playing, self._output.mixer
            peak, underruns = (mixer.peak, mixer.underruns) if mixer is not None else (0.0, 0)
            if playing is None:
                path, position_s = self._resting or (None, 0.0)
                return PlaybackStatus(PlayState.STOPPED, path, position_s, None, 0.0, underruns)
            is_over = playing.voice_is_finished
            position_s = playing.position_s(0.0 if is_over else self._output.latency_s)
            if is_over:
                state = PlayState.STOPPED
            elif self._output.is_paused:
                state = PlayState.PAUSED
            else:
                state = PlayState.PLAYING if playing.is_heard else PlayState.LOADING
            return PlaybackStatus(state, playing.path, position_s, playing.info, peak, underruns)

    def take_problem(self) -> KnownError | None:
        """What went wrong and was not taken yet: a file that cannot be played, a device that is gone."""
        with self._lock:
            return self._problems.pop(0) if self._problems else None

    def close(self) -> None:
        """Stop everything and wait for the threads."""
        with self._lock:
            self._is_closed = True
            self._drop()
        self._call_keeper()
        self._output.close()
        for thread in [*self._threads, self._keeper]:
            thread.join(_LONGEST_GOODBYE_S)

    def _start(self, path: Path, start_s: float, *, is_seek: bool = False) -> None:
        """Begin decoding; holding the lock."""
        self._drop()
        if not is_seek or self._resting is None or self._resting[0] != path:
            self._resting = (path, start_s)
        playing = _Playing(path, start_s, self._options)
        self._playing = playing
        self._used_at = time.monotonic()
        thread = threading.Thread(target=self._perform, args=(playing,), name="earshot-voice", daemon=True)
        self._threads = {old for old in self._threads if old.is_alive()} | {thread}
        thread.start()
        self._call_keeper()

    def _call_keeper(self) -> None:
        with self._attention:
            self._attention.notify()

    def _drop(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None

    def _perform(self, playing: _Playing) -> None:
        """Decode one sound into its ring until its end or until it is dropped; on its own thread."""
        try:
            mixer, notice = self._output.ensure()
            self._call_keeper()
            if notice is not None:
                self._report(notice)
            playing.perform(self._cache, mixer, on_ready=lambda: self._put_on(playing))
        except KnownError as error:
            self._fail(playing, error)
        finally:
            playing.finish()
        self._on_change()

    def _put_on(self, playing: _Playing) -> None:
        with self._lock:
            if playing is self._playing and playing.voice is not None:
                playing.is_heard = True
                self._output.play(playing.voice)
        self._on_change()

    def _fail(self, playing: _Playing, error: KnownError) -> None:
        with self._lock:
            if playing is not self._playing:
                return
            self._drop()
            self._output.play(None)
            self._problems.append(_about(playing.path, error))

    def _report(self, problem: KnownError) -> None:
        with self._lock:
            self._problems.append(problem)

    def _on_lost(self, error: DeviceError) -> None:
        """The device went away: rest where it was, so that playing goes on from there once there is another."""
        with self._lock:
            playing = self._playing
            if playing is not None and not playing.voice_is_finished:
                self._resting = (playing.path, playing.position_s(0.0))
            self._drop()
            self._problems.append(error)
        self._on_change()

    def _keep(self) -> None:
        """Decode ahead, watch the device, let it sleep when nothing was played for long; on the keeper's thread."""
        while not self._is_closed:
            with self._attention:
                wanted, self._wanted = self._wanted, []
                if not wanted and not self._is_closed:
                    self._attention.wait(self._rest_s())
            if self._is_closed:
                return
            if wanted:
                self._prepare(wanted)
            self._watch()

    def _rest_s(self) -> float | None:
        playing = self._playing
        if playing is not None and not playing.is_heard:
            return _PATIENCE_S / 3
        return 0.25 if self._output.is_open else None

    def _watch(self) -> None:
        with self._lock:
            playing = self._playing
            idle = playing is None or playing.voice_is_finished or self._output.is_paused
            waiting = playing is not None and not playing.is_heard
            if playing is not None and waiting and time.monotonic() - playing.begun_at > _PATIENCE_S:
                self._output.play(None)
        self._output.check(stalled_s=_STALLED_S)
        if not idle:
            self._used_at = time.monotonic()
        elif time.monotonic() - self._used_at > _IDLE_S:
            self._output.rest()

    def _prepare(self, wanted: Sequence[tuple[Path, float]]) -> None:
        try:
            self._output.ensure()
        except DeviceError as error:
            _log.debug("no output to prepare: %s", error)
        for path, start_s in wanted:
            if self._wanted or self._is_closed:
                return
            try:
                cursor = SourceCursor(path, self._cache)
            except UnusableFileError:
                continue  # said when it is played
            try:
                index = int(start_s * cursor.info.sample_rate_hz) // cursor.block_frames
                cursor.block(index)
                # A moment near the end of its block needs the next one at once.
                cursor.block(index + 1)
            except UnusableFileError as error:
                _log.debug("%s cannot be prepared: %s", path, error)
            finally:
                cursor.close()


class _Playing:
    """One sound from the key press to its end.

    Attributes:
        path: The file.
        voice: What the mixer plays, None until the file is open.
        is_heard: Whether it was handed to the mixer.
        info: Of the file.
        begun_at: When, by the monotonic clock.
    """

    def __init__(self, path: Path, start_s: float, options: PlayOptions) -> None:
        self.path = path
        self.voice: Voice | None = None
        self.is_heard = False
        self.info: AudioInfo | None = None
        self.begun_at = time.monotonic()
        self._start_s = start_s
        self._options = options
        self._rendition: Rendition | None = None
        self._rate_hz = 0
        self._cancelled = threading.Event()

    @property
    def voice_is_finished(self) -> bool:
        """Whether its end was heard, or there will be none."""
        return self._cancelled.is_set() or (self.voice is not None and self.voice.is_finished)

    def position_s(self, latency_s: float) -> float:
        """The moment of the sound that is heard."""
        voice, rendition = self.voice, self._rendition
        if voice is None or rendition is None:
            return self._start_s
        return rendition.source_time_s(max(0, voice.ring.read - round(latency_s * self._rate_hz)))

    def cancel(self) -> None:
        """Stop decoding."""
        self._cancelled.set()

    def finish(self) -> None:
        """No more samples come, whatever the reason."""
        if self.voice is None:
            self._cancelled.set()
        else:
            self.voice.is_complete = True

    def perform(self, cache: BlockCache, mixer: Mixer, *, on_ready: Callable[[], None]) -> None:
        """Decode until the end or until cancelled; `on_ready` is called when there is enough to begin with.

        Raises:
            UnusableFileError: The file cannot be played.
        """
        self._rate_hz = mixer.sample_rate_hz
        cursor = SourceCursor(self.path, cache)
        try:
            self.info = cursor.info
            rendition = Rendition(
                cursor,
                start_s=self._start_s,
                options=self._options,
                sample_rate_hz=self._rate_hz,
                sides=mixer.sides,
            )
            ring = Ring(round(_RING_S * self._rate_hz), mixer.sides)
            self.voice = Voice(ring, fades_in=self._start_s > 0 or self._options.is_reversed)
            self._rendition = rendition
            while not self._cancelled.is_set() and (piece := rendition.next()) is not None:
                self._write(ring, piece, on_ready)
            self.info = cursor.info
        finally:
            cursor.close()
        if not self._cancelled.is_set():
            self.finish()
            if not self.is_heard:
                on_ready()

    def _write(self, ring: Ring, piece: FloatArray, on_ready: Callable[[], None]) -> None:
        while len(piece) and not self._cancelled.is_set():
            piece = piece[ring.write(piece) :]
            if not self.is_heard and ring.written >= _FIRST_S * self._rate_hz:
                on_ready()
            if len(piece):
                self._cancelled.wait(_POLL_S)


def _about(path: Path, error: KnownError) -> KnownError:
    """The same reason, saying of which file."""
    if isinstance(error, UnusableFileError):
        return UnusableFileError(f"“{path.name}” cannot be played. {error.message}", error.way_out)
    return error
