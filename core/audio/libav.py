"""libav as a reader of samples, through PyAV. It is imported where a file needs it."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt
from av.stream import Discard

from core.audio.reader import UnsupportedError, damaged, with_duration
from core.audio.source import reading_error
from core.errors import UnusableFileError
from core.types import AudioInfo, FloatArray

_INTEGER_SCALES = {"u8": 128.0, "s16": 32_768.0, "s32": 2_147_483_648.0}
# PyAV 18 counts the planes of a frame by reading on until it meets a zero, which with more planes than a frame has room
# for in itself is behind their list: it crashes.
_MAX_PLANES = 8
_ALAC_COOKIE_BYTES = 36
_MOST_CALLS_TO_OPEN = 50_000
# Containers that count samples and know where their packets lie.
_INDEXED = frozenset({"m4a", "mp4", "mov", "3gp"})
# Nearer places are reached by decoding; a jump lands so far before the place that is sought.
_NEAR_S, _RUN_UP_S = 20, 3
_UNSETTLED_FRAMES = 8
# Containers of one track whose length is known well enough to miss what is not there.
_CHECKED_DURATIONS = frozenset({"wma", "wv", "ape", "tta", "tak", "mpc", "mkv", "dsf"})


class LibavReader:
    """Reads what libav reads, among it everything with a picture track.

    Args:
        file: The open file; its owner closes it after this reader.
        container: Name for the AudioInfo.
        libav_format: The demuxer to use; guessing is not allowed, since some demuxers follow links to other places.

    Raises:
        UnsupportedError: There is no decoder for the sound.
        UnusableFileError: The header is damaged, or there is no sound in the file.
    """

    def __init__(self, file: BinaryIO, container: str, libav_format: str) -> None:
        file.seek(0)
        source = _LibavSource(file)
        try:
            self._container = av.open(source, format=libav_format, metadata_errors="replace")
        except av.FFmpegError as error:
            raise UnusableFileError(f"Its header is damaged ({_libav_text(error)}).") from error
        try:
            self._open_stream(container)
            source.opening = False
        except BaseException:
            self._container.close()
            raise

    def _open_stream(self, container: str) -> None:
        streams = self._container.streams
        self._stream = streams.best("audio")
        if self._stream is None:
            kind = "a video without sound" if streams.video else "a file without an audio track"
            raise UnusableFileError(f"This is {kind}.")
        for other in streams:
            if other.index != self._stream.index:
                other.discard = Discard.all
        if self._stream.codec_context is None:
            raise UnsupportedError("no decoder for its encoding")
        self._rest: FloatArray | None = None
        self._frames = self._decoded()
        first = next(self._frames, None)
        if first is None:
            raise UnusableFileError("The file holds no sound.")
        sample_format = self._stream.codec_context.format.name
        encoding = self._stream.codec_context.name
        self.integer = sample_format.rstrip("p") in ("u8", "s16", "s32", "s64")
        self.info = AudioInfo(
            container=container,
            encoding=encoding,
            sample_rate_hz=first.sample_rate,
            channels=first.layout.nb_channels,
            duration_s=0.0,
            bit_depth=_libav_bit_depth(self._stream.codec_context, first.format),
        )
        self._resampler: Any = None
        self._first: Any = first
        duration_s = self._duration_s()
        self.info = with_duration(self.info, duration_s)
        self.tolerance_s: float | None = None
        if container in _CHECKED_DURATIONS and len(streams) == 1:
            self.tolerance_s = max(0.5, 0.05 * duration_s)

    def read_into(self, buffer: FloatArray) -> int:
        """See Reader.

        Raises:
            UnusableFileError: The decoder gave up, or the sound changes its kind on the way.
        """
        count = 0
        while count < len(buffer):
            samples = self._next_samples()
            if samples is None:
                break
            taken = min(len(samples), len(buffer) - count)
            buffer[count : count + taken] = samples[:taken]
            count += taken
            if taken < len(samples):
                self._rest = samples[taken:]
        return count

    def skip_to(self, frame: int, *, quick: bool = False) -> None:
        """See Reader; libav seeks to packets and not to samples, so that what comes before is decoded and dropped."""
        skipped = self._jump_before(frame) if quick and self.info.container in _INDEXED else 0
        while skipped < frame and (samples := self._next_samples()) is not None:
            if skipped + len(samples) > frame:
                self._rest = samples[frame - skipped :]
            skipped += len(samples)

    def _jump_before(self, frame: int) -> int:
        """Go to a packet well before a frame if that is worth it; returns the frame that comes next."""
        first, rate_hz = self._first, self.info.sample_rate_hz
        if frame < _NEAR_S * rate_hz or first is None or first.pts is None or self._stream.time_base * rate_hz != 1:
            return 0
        try:
            run_up = max(_RUN_UP_S * rate_hz, 2 * _UNSETTLED_FRAMES * first.samples)
            self._container.seek(max(first.pts, first.pts + frame - run_up), stream=self._stream)
        except av.FFmpegError as error:
            raise damaged(_libav_text(error)) from error
        self._frames.close()
        self._frames = self._decoded()
        # What a decoder makes of its first packets lacks what came before them.
        for _ in range(_UNSETTLED_FRAMES):
            next(self._frames, None)
        self._first = next(self._frames, None)
        return frame if self._first is None or self._first.pts is None else int(self._first.pts - first.pts)

    def close(self) -> None:
        """See Reader."""
        self._frames.close()
        self._container.close()

    def _next_samples(self) -> FloatArray | None:
        """The next (n, channels) samples of any n, None at the end."""
        if self._rest is not None:
            samples, self._rest = self._rest, None
            return samples
        frame, self._first = self._first or next(self._frames, None), None
        return None if frame is None else self._samples(frame)

    def _decoded(self) -> Generator[Any, None, None]:
        """Decoded frames; single broken packets are passed over, as players do, but not many of them."""
        packets = broken = 0
        try:
            for packet in self._container.demux(self._stream):
                packets += 1
                try:
                    yield from packet.decode()
                except av.error.InvalidDataError as error:
                    broken += 1
                    if broken > 1 + packets // 50:
                        raise damaged(_libav_text(error)) from error
        except av.error.DecoderNotFoundError as error:
            raise UnsupportedError("no decoder for its encoding") from error
        except av.FFmpegError as error:
            raise damaged(_libav_text(error)) from error
        except IndexError as error:  # how PyAV meets a packet of a track that appears in the middle
            raise damaged("a track that its header does not announce") from error
        except OSError as error:
            raise reading_error(error) from error

    def _samples(self, frame: Any) -> FloatArray:
        """Samples of a frame, (n, channels) float32 with full scale at 1."""
        channels = self.info.channels
        if (frame.sample_rate, frame.layout.nb_channels) != (self.info.sample_rate_hz, channels):
            raise UnusableFileError("Its sample rate or its number of channels changes in the middle.")
        name = frame.format.name
        kind = name.rstrip("p")
        if kind == "s64" or (name.endswith("p") and channels > _MAX_PLANES):
            return self._converted(frame)
        values: npt.NDArray[Any] = frame.to_ndarray()
        values = values.T if name.endswith("p") else values.reshape(-1, channels)
        scale = _INTEGER_SCALES.get(kind)
        if scale is None:
            return values.astype(np.float32, copy=False)
        samples = values.astype(np.float32)
        if kind == "u8":
            samples -= 128.0
        samples /= scale
        return samples

    def _converted(self, frame: Any) -> FloatArray:
        """Samples of a format that PyAV hands out only through libswresample."""
        if self._resampler is None:
            self._resampler = av.AudioResampler(format="flt")
        try:
            converted = self._resampler.resample(frame)
        except av.FFmpegError as error:
            raise damaged(_libav_text(error)) from error
        parts = [part.to_ndarray().reshape(-1, self.info.channels) for part in converted]
        return np.concatenate(parts) if parts else np.empty((0, self.info.channels), dtype=np.float32)

    def _duration_s(self) -> float:
        """Length in seconds as far as the header tells; with a picture track it may be the picture's."""
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        return (self._container.duration or 0) / 1_000_000


class _LibavSource:
    """What libav needs of a file and no more: it chokes on names that are no UTF-8.

    Attributes:
        opening: Whether the header is being read. So long the number of calls is limited, since a demuxer walks through
            gigabytes of damaged data in the smallest steps.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._calls = 0
        self.opening = True
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, none at the end or when there were too many calls."""
        return self._file.read(size) if self._allowed() else b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; -1, which libav takes for an error, where that is impossible, as damaged files ask for."""
        try:
            return self._file.seek(offset, whence) if self._allowed() else -1
        except (OSError, ValueError):
            return -1

    def _allowed(self) -> bool:
        self._calls += 1
        return not self.opening or self._calls <= _MOST_CALLS_TO_OPEN


def _libav_bit_depth(codec: Any, sample_format: Any) -> int | None:
    """Bits per sample of a lossless encoding, None where PyAV does not tell: 24 bits come in a format of 32."""
    digits = "".join(filter(str.isdigit, codec.name))
    if codec.name.startswith("pcm_") and digits:
        return int(digits)
    if codec.name == "alac" and len(codec.extradata or b"") == _ALAC_COOKIE_BYTES:
        return int(codec.extradata[17])
    if codec.name in ("flac", "wavpack", "ape", "tta", "tak", "wmalossless") and sample_format.bits < 32:
        return int(sample_format.bits)
    return None


def _libav_text(error: av.FFmpegError) -> str:
    text: str = error.strerror
    return text[:1].lower() + text[1:]
