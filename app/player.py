"""The player as the window knows it: what plays, how, and signals on the main thread."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from core.audio.cursor import BlockCache
from core.audio.device import DeviceError, OpenOutput, OutputChoice, open_output
from core.audio.playback import PlaybackStatus, Player, PlayState
from core.audio.rendition import MAX_SPEED, MIN_SPEED, PlayOptions
from core.types import AudioInfo, Span

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.settings import Settings
    from core.errors import KnownError

MIN_GAIN_DB, MAX_GAIN_DB = -60.0, 24.0
# A little before the moment that matched, so that its attack is heard.
_FRAMES_MS = 25

_log = logging.getLogger(__name__)


class PlayerController(QObject):
    """One sound at hand, playing or not. Follows the settings and keeps what is changed in them.

    Args:
        settings: `audio` is read at the beginning and written at every change.
        errors: Where problems go: of a file as a notice, of the device as a known error, once until it works again.
        open_stream: How to open a device; tests hand in their own.
        parent: Owner.

    Attributes:
        sound_changed: Another sound is at hand.
        state_changed: (PlayState)
        moved: (float) the moment that is heard, in seconds, while it moves.
        options_changed: Speed, direction, loop, region, gain or output is another.
        device_changed: The device failed, or works again; see `device_problem`.
    """

    sound_changed = Signal()
    state_changed = Signal(object)
    moved = Signal(float)
    options_changed = Signal()
    device_changed = Signal()
    _stirred = Signal()

    def __init__(
        self,
        settings: Settings,
        errors: ErrorCentre,
        *,
        open_stream: OpenOutput = open_output,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings, self._errors = settings, errors
        audio = settings.audio
        self._player = Player(
            open_stream,
            choice=OutputChoice(audio.output_device or "", _first_channel(audio.output_channels)),
            cache=BlockCache(settings.caches.decoded_mib << 20),
            on_change=self._stirred.emit,
        )
        self._player.set_gain_db(audio.gain_db)
        self._player.set_options(
            PlayOptions(
                speed=min(MAX_SPEED, max(MIN_SPEED, audio.speed)),
                is_reversed=audio.reverse,
                is_looping=audio.loop,
                skips_silence=audio.skip_silence,
            )
        )
        self._path: Path | None = None
        self._start_s = 0.0
        self._is_loaded = False
        self._state = PlayState.STOPPED
        self._position_s = 0.0
        self._is_asked = True
        self._told_by_dialog = False
        self._device_problem = ""
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_FRAMES_MS)
        self._timer.timeout.connect(self._look)
        self._stirred.connect(self._look, Qt.ConnectionType.QueuedConnection)

    @property
    def path(self) -> Path | None:
        """The sound at hand."""
        return self._path

    @property
    def position_s(self) -> float:
        """The moment that is heard, or where playing would begin."""
        return self._position_s

    @property
    def state(self) -> PlayState:
        """What it does."""
        return self._state

    @property
    def is_playing(self) -> bool:
        """Whether a sound is heard, or about to be."""
        return self._state in (PlayState.PLAYING, PlayState.LOADING)

    @property
    def channels(self) -> int:
        """Channels of the sound at hand, as far as the player has opened it; 0 while unknown."""
        info = self._info()
        return 0 if info is None else info.channels

    @property
    def duration_s(self) -> float:
        """Length of the sound at hand, as far as the player has opened it; 0 while unknown."""
        info = self._info()
        return 0.0 if info is None else info.duration_s

    @property
    def options(self) -> PlayOptions:
        """How sounds are played."""
        return self._player.options

    @property
    def gain_db(self) -> float:
        """Amplification."""
        return self._settings.audio.gain_db

    @property
    def output(self) -> OutputChoice:
        """The device asked for."""
        return self._player.choice

    @property
    def device_problem(self) -> str:
        """Why nothing can be heard, or an empty string."""
        return self._device_problem

    def open(self, path: Path, *, start_s: float = 0.0, play: bool, is_asked: bool = True) -> None:
        """Take a sound to hand, in place of the one before.

        Args:
            path: The file.
            start_s: Where it begins to play.
            play: Whether it does so at once. If not, the one before stops.
            is_asked: Whether the user asked to hear it; it may also play by itself.
        """
        is_other = path != self._path
        self._path, self._start_s, self._is_loaded = path, start_s, False
        if is_other and self._player.options.region is not None:
            self._player.stop()
            self._player.set_options(replace(self._player.options, region=None, channel=None))
            self.options_changed.emit()
        if play:
            self._play(start_s, is_asked=is_asked)
        else:
            self._player.stop()
            self._position_s = start_s
            self._look()
        if is_other:
            self.sound_changed.emit()
        self.moved.emit(self._position_s)

    def prepare(self, sounds: Sequence[tuple[Path, float]]) -> None:
        """Decode the beginnings of the neighbours ahead, nearest first."""
        self._player.prepare(sounds)

    def toggle(self) -> None:
        """Play or pause."""
        self._is_asked = True
        if self.is_playing:
            self._player.pause()
            self._look()
        elif self._path is not None:
            region = self._player.options.region
            if self._state is PlayState.PAUSED and self._is_loaded:
                self._player.resume()
            elif region is not None and not _lies_in(self._position_s, region):
                self._play(self._region_start())
            else:
                self._play(self._position_s)
            self._timer.start()
            self._look()

    def play_from(self, position_s: float) -> None:
        """Play from a moment."""
        if self._path is not None:
            self._play(position_s)

    def stop(self) -> None:
        """Stop, and go back to where playing began."""
        self._player.stop()
        self._is_loaded = False
        self._position_s = self._start_s
        self._look()
        self.moved.emit(self._position_s)

    def seek(self, position_s: float) -> None:
        """Go to a moment; playing or not stays as it is."""
        position_s = max(0.0, position_s)
        if self._is_loaded and self._state is not PlayState.STOPPED:
            self._player.seek(position_s)
        self._position_s = self._start_s = position_s
        self.moved.emit(position_s)

    def seek_by(self, seconds: float) -> None:
        """Go forward or, with a negative number, back."""
        self.seek(self._position_s + seconds)

    def set_region(self, region: Span | None) -> None:
        """Choose the part that is played and looped, or none."""
        if region == self.options.region:
            return
        options = replace(self.options, region=region)
        if region is not None and not self.is_playing:
            self._player.set_options(options)
            self._position_s = self._start_s = self._region_start()
            self._is_loaded = False
            self._player.stop()
            self.moved.emit(self._position_s)
        else:
            self._change(options)
        self.options_changed.emit()

    def set_looping(self, is_looping: bool) -> None:
        """Begin again at the end, or not."""
        self._settings.audio.loop = is_looping
        region = self.options.region
        self._change(replace(self.options, is_looping=is_looping))
        if is_looping and self.is_playing and region is not None and not _lies_in(self._position_s, region):
            self._player.seek(self._region_start())
        self.options_changed.emit()

    def set_reversed(self, is_reversed: bool) -> None:
        """Play backwards, or forwards."""
        self._settings.audio.reverse = is_reversed
        self._change(replace(self.options, is_reversed=is_reversed))
        self.options_changed.emit()

    def set_skips_silence(self, skips_silence: bool) -> None:
        """Leave silence out, or not."""
        self._settings.audio.skip_silence = skips_silence
        self._change(replace(self.options, skips_silence=skips_silence))
        self.options_changed.emit()

    def set_speed(self, speed: float) -> None:
        """Play faster and higher, or slower and lower; held to 0.25 to 4."""
        speed = min(MAX_SPEED, max(MIN_SPEED, speed))
        self._settings.audio.speed = speed
        self._change(replace(self.options, speed=speed))
        self.options_changed.emit()

    def set_channel(self, channel: int | None) -> None:
        """Hear one channel of this sound alone, or all of them."""
        self._change(replace(self.options, channel=channel))
        self.options_changed.emit()

    def set_gain_db(self, gain_db: float) -> None:
        """Amplify; held to -60 to 24 dB."""
        gain_db = min(MAX_GAIN_DB, max(MIN_GAIN_DB, gain_db))
        self._settings.audio.gain_db = gain_db
        self._player.set_gain_db(gain_db)
        self.options_changed.emit()

    def set_output(self, choice: OutputChoice) -> None:
        """Play on another device, or on other channels of it."""
        self._settings.audio.output_device = choice.device or None
        first = choice.first_channel + 1
        self._settings.audio.output_channels = [first, first + 1] if choice.first_channel else []
        self._set_device_problem("")
        self._player.set_output(choice)
        self.options_changed.emit()

    def release_device(self) -> None:
        """Let go of the device unless it plays, so that devices can be looked for; for a background thread."""
        self._player.release()

    def close(self) -> None:
        """Stop, and let go of the device."""
        self._timer.stop()
        self._player.close()

    def _info(self) -> AudioInfo | None:
        status = self._player.status()
        return status.info if status.path == self._path else None

    def _play(self, position_s: float, *, is_asked: bool = True) -> None:
        if self._path is None:
            return
        self._is_asked = is_asked
        self._is_loaded = True
        self._position_s = self._start_s = position_s
        self._player.play(self._path, position_s)
        self._timer.start()
        self._look()

    def _change(self, options: PlayOptions) -> None:
        self._player.set_options(options)
        self._look()

    def _region_start(self) -> float:
        region = self.options.region
        if region is None:
            return 0.0
        return region.end_s if self.options.is_reversed else region.start_s

    def _look(self) -> None:
        """Find out what the player does now, and tell."""
        status = self._player.status()
        while (problem := self._player.take_problem()) is not None:
            self._tell(problem)
        if status.state in (PlayState.PLAYING, PlayState.PAUSED):
            if status.state is PlayState.PLAYING:
                self._set_device_problem("")
            self._follow(status)
        elif status.state is PlayState.STOPPED and self._state is not PlayState.STOPPED:
            self._rest(status)
        if status.state is PlayState.STOPPED or status.state is PlayState.PAUSED:
            self._timer.stop()
        if status.state is not self._state:
            self._state = status.state
            self.state_changed.emit(status.state)

    def _follow(self, status: PlaybackStatus) -> None:
        if status.path == self._path and self._is_loaded and status.position_s != self._position_s:
            self._position_s = status.position_s
            self.moved.emit(self._position_s)

    def _rest(self, status: PlaybackStatus) -> None:
        """The sound ended, or its device went away: playing goes on from the beginning, or from there."""
        if not self._is_loaded:
            return
        self._is_loaded = False
        has_ended = status.info is not None
        self._position_s = self._start_s if has_ended else status.position_s
        self.moved.emit(self._position_s)

    def _tell(self, problem: KnownError) -> None:
        if not isinstance(problem, DeviceError):
            self._errors.notice(str(problem))
            return
        # Going through a list without a device must not open a dialog at all, and a key no more than one.
        is_new = self._device_problem != str(problem)
        was_told = self._told_by_dialog and not is_new
        self._set_device_problem(str(problem))
        if self._is_asked and not was_told:
            self._told_by_dialog = True
            self._errors.known(problem)
        elif is_new:
            self._errors.notice(str(problem))
        else:
            _log.info("still: %s", problem)

    def _set_device_problem(self, problem: str) -> None:
        if problem != self._device_problem:
            self._device_problem = problem
            self._told_by_dialog = False
            self.device_changed.emit()


def _lies_in(position_s: float, region: Span) -> bool:
    return region.start_s <= position_s < region.end_s


def _first_channel(channels: Sequence[int]) -> int:
    """Settings count channels from 1, as people do."""
    return channels[0] - 1 if channels else 0
