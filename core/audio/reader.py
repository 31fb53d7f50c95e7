"""What reads the samples of a file, and libsndfile as such a reader; the other one is in `core.audio.libav`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import soundfile

from core.errors import UnusableFileError
from core.types import AudioInfo, FloatArray

_BIT_DEPTHS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "FLOAT": 32,
    "DOUBLE": 64,
    "ALAC_16": 16,
    "ALAC_20": 20,
    "ALAC_24": 24,
    "ALAC_32": 32,
    "DWVW_12": 12,
    "DWVW_16": 16,
    "DWVW_24": 24,
    "DPCM_8": 8,
    "DPCM_16": 16,
}
# libsndfile's numbers for a format, an encoding or a variant of a header that it does not know.
_UNSUPPORTED = (1, 4, 18)
_UNKNOWN_FRAMES = 1 << 60
_EXACT_TOLERANCE_S = 0.02


class UnsupportedError(Exception):
    """A library cannot read this kind of file; another one may."""


class Reader(Protocol):
    """An open file that yields its samples once, from the beginning.

    Attributes:
        info: What the header says.
        tolerance_s: By how much the sound may fall short of ``info.duration_s``; None if that is an estimate.
        integer: Whether samples are integers, which are always numbers and never beyond full scale.
    """

    info: AudioInfo
    tolerance_s: float | None
    integer: bool

    def read_into(self, buffer: FloatArray) -> int:
        """Fill (n, channels) with the next frames and return how many there were, fewer than n only at the end."""

    def skip_to(self, frame: int, *, quick: bool = False) -> None:
        """Go forward to a frame, before anything was read; beyond the end there is nothing to read.

        Args:
            frame: Where to.
            quick: Whether to jump where decoding everything before would take long. The samples are then those of the
                place, but a decoder that fills in noise (AAC) may fill in other noise.
        """

    def close(self) -> None:
        """Let go of the file."""


class _ForwardSoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that says it cannot seek, so that reading a block does not seek back to where it already is."""

    def seekable(self) -> bool:
        return False


class SoundfileReader:
    """Reads what libsndfile reads.

    Args:
        file: The open file; its owner closes it after this reader.
        path: The same file's path, for Windows, where libsndfile cannot take over a descriptor.
        container: Name for the AudioInfo.
        estimated: Whether the length is only as good as an MPEG encoder's note of it.

    Raises:
        UnsupportedError: libsndfile does not know this format or encoding.
        UnusableFileError: The header is damaged.
    """

    def __init__(self, file: BinaryIO, path: Path, container: str, *, estimated: bool = False) -> None:
        source: Any = os.fspath(path)
        if os.name == "posix":
            source = file.fileno()
            os.lseek(source, 0, os.SEEK_SET)
        try:
            self._file = _ForwardSoundFile(source, closefd=False)
        except soundfile.LibsndfileError as error:
            if error.code in _UNSUPPORTED:
                raise UnsupportedError(_sndfile_text(error)) from error
            raise UnusableFileError(f"Its header is damaged ({_sndfile_text(error)}).") from error
        subtype = self._file.subtype
        frames = self._file.frames
        self.integer = subtype.startswith(("PCM", "ALAC", "DWVW", "DPCM")) or subtype in ("ULAW", "ALAW")
        self.info = AudioInfo(
            container=container,
            encoding=subtype,
            sample_rate_hz=self._file.samplerate,
            channels=self._file.channels,
            duration_s=0.0,
            bit_depth=_BIT_DEPTHS.get(subtype),
        )
        if frames >= _UNKNOWN_FRAMES and self.info.channels > 0:
            frames = self._count_frames()
        duration_s = frames / max(1, self.info.sample_rate_hz)
        self.info = with_duration(self.info, duration_s)
        self.tolerance_s: float | None = _EXACT_TOLERANCE_S
        if estimated:
            self.tolerance_s = max(0.1, 0.02 * duration_s)

    def read_into(self, buffer: FloatArray) -> int:
        """See Reader.

        Raises:
            UnusableFileError: The decoder gave up.
        """
        count = 0
        while count < len(buffer):
            try:
                read = len(self._file.read(out=buffer[count:]))
            except soundfile.LibsndfileError as error:
                raise damaged(_sndfile_text(error)) from error
            if not read:
                break
            count += read
        return count

    def skip_to(self, frame: int, *, quick: bool = False) -> None:
        """See Reader; libsndfile seeks to the very sample in every format."""
        try:
            self._file.seek(min(frame, round(self.info.duration_s * self.info.sample_rate_hz)))
        except soundfile.LibsndfileError as error:
            raise damaged(_sndfile_text(error)) from error

    def close(self) -> None:
        """See Reader."""
        self._file.close()

    def _count_frames(self) -> int:
        """Decode once to learn the length that an encoder left out, as when FLAC was written to a pipe."""
        buffer = np.empty((65_536, self.info.channels), dtype=np.float32)
        frames = 0
        while count := self.read_into(buffer):
            frames += count
        self._file.seek(0)
        return frames


def _sndfile_text(error: soundfile.LibsndfileError) -> str:
    text: str = error.error_string
    return text.removeprefix("Error : ").removeprefix("Error in ").rstrip(". ")


def with_duration(info: AudioInfo, duration_s: float) -> AudioInfo:
    """The same with another length."""
    return AudioInfo(info.container, info.encoding, info.sample_rate_hz, info.channels, duration_s, info.bit_depth)


def damaged(text: str) -> UnusableFileError:
    """That a decoder gave up, in its words."""
    return UnusableFileError(f"Its sound is damaged ({text}).")
