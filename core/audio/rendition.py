"""A sound as it is to be heard: from a place, at a speed, forwards or backwards, once or in a loop, at a device's rate.

Varispeed is resampling: twice as fast is an octave higher. It costs nothing beyond the resampling to the device's rate,
since both are one step.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
import soxr

from core.audio.channel import mix, mixing_matrix
from core.audio.cursor import SourceCursor
from core.audio.silence import SilenceSkipper
from core.types import FloatArray, Span

MIN_SPEED, MAX_SPEED = 0.25, 4.0

_QUALITY = "HQ"
_FIRST_PIECE_S = 0.08
_PIECE_S = 0.25
_MOST_MARKS = 1 << 14


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """How to play a sound.

    Attributes:
        speed: Times its own speed, from 0.25 to 4, which also changes its pitch.
        is_reversed: Whether to play it backwards.
        region: The part to play. Started outside of it, a sound plays to its own end.
        is_looping: Whether to begin again at the end, of the region or of the sound.
        skips_silence: Whether to leave out what is below -60 dB.
        channel: The one channel to hear, from 0; None for all of them.
    """

    speed: float = 1.0
    is_reversed: bool = False
    region: Span | None = None
    is_looping: bool = False
    skips_silence: bool = False
    channel: int | None = None

    def __post_init__(self) -> None:
        if not MIN_SPEED <= self.speed <= MAX_SPEED:
            raise ValueError(f"sounds play at {MIN_SPEED} to {MAX_SPEED} times their speed, not {self.speed}")


class Rendition:
    """Makes the samples for a device, piece by piece; for one thread, but `source_time_s` for any.

    Args:
        cursor: The sound.
        start_s: Where to begin, in seconds of the sound; for playing backwards 0 means its end.
        options: How to play.
        sample_rate_hz: Rate of the device.
        sides: 1 or 2 channels to make.
    """

    def __init__(
        self, cursor: SourceCursor, *, start_s: float, options: PlayOptions, sample_rate_hz: int, sides: int
    ) -> None:
        self._cursor = cursor
        self._options = options
        self._rate_hz = cursor.info.sample_rate_hz
        self._ratio = self._rate_hz * options.speed / sample_rate_hz
        self._step = -1 if options.is_reversed else 1
        self._resampler: soxr.ResampleStream | None = None
        if self._ratio != 1.0:
            self._resampler = soxr.ResampleStream(
                self._rate_hz * options.speed, sample_rate_hz, sides, dtype="float32", quality=_QUALITY
            )
        self._matrix = mixing_matrix(cursor.info.channels, sides, options.channel)
        self._skipper = SilenceSkipper(self._rate_hz, cursor.info.channels) if options.skips_silence else None
        start = round(start_s * self._rate_hz)
        self._low, self._high = self._bounds(start)
        if options.is_reversed and not start:
            start = self._end()
        # Forwards the next frame, backwards the one after the next.
        self._at = min(max(start, self._low), self._end())
        self._fed = 0
        self._fed_in_pass = 0
        self._pieces = 0
        self._is_done = False
        self._lock = threading.Lock()
        self._marks: deque[tuple[int, int]] = deque([(0, self._at)], maxlen=_MOST_MARKS)

    def next(self) -> FloatArray | None:
        """The next samples, (n, sides) float32 with n possibly 0; None at the end.

        Raises:
            UnusableFileError: The sound cannot be decoded.
        """
        if self._is_done:
            return None
        piece = self._next_piece()
        if not len(piece):
            return self._turn()
        return self._rendered(self._kept(piece, last=False))

    def source_time_s(self, frame: int) -> float:
        """Which time of the sound a frame of the output is, counted from the beginning of this rendition."""
        fed = frame * self._ratio
        with self._lock:
            for at, source in reversed(self._marks):
                if at <= fed:
                    return max(0.0, (source + self._step * (min(fed, self._fed) - at)) / self._rate_hz)
            return self._marks[0][1] / self._rate_hz

    def _bounds(self, start: int) -> tuple[int, int | None]:
        """First frame and the one after the last, None for the sound's end."""
        region = self._options.region
        if region is None or region.duration_s * self._rate_hz < 1:
            return 0, None
        low, high = round(region.start_s * self._rate_hz), round(region.end_s * self._rate_hz)
        inside = low < start <= high if self._options.is_reversed else low <= start < high
        return (low, high) if inside else (0, None)

    def _end(self) -> int:
        end = self._cursor.end_frame
        return end if self._high is None else min(end, self._high)

    def _next_piece(self) -> FloatArray:
        """Frames of the sound in the order of playing, none at the end of a pass."""
        size = self._cursor.block_frames
        longest = max(1, round((_PIECE_S if self._pieces else _FIRST_PIECE_S) * self._rate_hz))
        if self._step > 0:
            if self._high is not None and self._at >= self._high:
                return _nothing(self._cursor)
            offset = self._at % size
            stop = offset + longest if self._high is None else offset + min(longest, self._high - self._at)
            piece = self._cursor.block(self._at // size)[offset:stop]
        else:
            self._at = min(self._at, self._end())
            if self._at <= self._low:
                return _nothing(self._cursor)
            index = (self._at - 1) // size
            block = self._cursor.block(index, backward=True)
            # The header may promise more than there is.
            self._at = min(self._at, index * size + len(block))
            begin = max(self._low, index * size, self._at - longest)
            piece = block[begin - index * size : self._at - index * size][::-1]
            if not len(piece) and index:
                return self._next_piece()
        self._pieces += 1
        self._at += self._step * len(piece)
        return piece

    def _turn(self) -> FloatArray:
        """Begin again, or come to the end."""
        rest = self._rendered(self._kept(_nothing(self._cursor), last=True))
        if self._options.is_looping and not self._fed_in_pass and self._skipper is not None:
            self._skipper = None  # all of it is silence, and a loop of nothing would never end
            self._fed_in_pass = 1
        if self._options.is_looping and self._fed_in_pass and self._end() > self._low:
            self._fed_in_pass = 0
            self._at = self._low if self._step > 0 else self._end()
            if self._skipper is not None:
                self._skipper = SilenceSkipper(self._rate_hz, self._cursor.info.channels)
            return rest
        self._is_done = True
        if self._resampler is not None:
            end = self._resampler.resample_chunk(np.empty((0, rest.shape[1]), dtype=np.float32), last=True)
            rest = np.concatenate([rest, end])
        return rest

    def _kept(self, piece: FloatArray, *, last: bool) -> list[tuple[int, FloatArray]]:
        """The parts of a piece to play, each with the frame of the sound it begins at."""
        begin = self._at - self._step * len(piece)
        if self._skipper is None:
            return [(begin, piece)] if len(piece) else []
        return [(begin + self._step * offset, samples) for offset, samples in self._skipper.push(piece, last=last)]

    def _rendered(self, parts: list[tuple[int, FloatArray]]) -> FloatArray:
        made = [np.empty((0, self._matrix.shape[1]), dtype=np.float32)]
        for source, samples in parts:
            self._mark(source)
            mixed = mix(samples, self._matrix)
            self._fed += len(samples)
            self._fed_in_pass += len(samples)
            made.append(mixed if self._resampler is None else self._resampler.resample_chunk(mixed))
        return made[1] if len(made) == 2 else np.concatenate(made)

    def _mark(self, source: int) -> None:
        """Note where the sound goes on elsewhere than where it was."""
        with self._lock:
            at, begun = self._marks[-1]
            if begun + self._step * (self._fed - at) != source:
                self._marks.append((self._fed, source))


def _nothing(cursor: SourceCursor) -> FloatArray:
    return np.empty((0, cursor.info.channels), dtype=np.float32)
