"""Reading the sound of any file that Earshot supports, block by block.

libsndfile (through soundfile) is tried first, libav (through PyAV) second; which one is told by the file's content. A
file that cannot be used ends in an UnusableFileError whose message is the reason, whatever is wrong with it:

>>> with open_audio(path) as sound:
...     for block in sound.blocks(10.0):
...         measure(block)

Decisions that a user may meet:

- A truncated file is not used: where its header promises more sound than there is, or its end mark is missing, the
  reason says how much is there. A little (a packet, a twentieth of a second) may be missing.
- A header that never got its length (a recorder that lost power, a program that wrote to a pipe) is no damage: what is
  there is read.
- A file with NaN, infinite or absurdly large samples is not used, since no decision about them would be the user's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from core.audio.extent import Extent, is_plain_ogg, read_extent, read_mpeg_totals
from core.audio.reader import Reader, SoundfileReader, UnsupportedError
from core.audio.signature import Engine, NotSound, Signature, identify
from core.audio.source import open_source, reading_error
from core.errors import UnusableFileError
from core.types import AudioInfo, FloatArray

MIN_SAMPLE_RATE_HZ = 8_000
MAX_SAMPLE_RATE_HZ = 384_000
MAX_CHANNELS = 64

_AUDIO_EXTENSIONS = frozenset(
    "wav wave bwf rf64 bw64 w64 aif aiff aifc afc flac fla ogg oga opus spx mp3 mp2 mp1 mpga caf caff au snd voc nist "
    "sph svx 8svx iff aac adts m4a m4b m4r wma asf wv ape tta tak mpc mp+ mpp ac3 eac3 dts amr dsf dff mka weba".split()
)
_VIDEO_EXTENSIONS = frozenset(
    "mov qt mp4 m4v 3gp 3g2 mkv webm avi wmv flv mpg mpeg vob ts mts m2ts mxf ogv ogx".split()
)
# Containers whose checksums libsndfile respects and libav ignores: what the first refuses is not tried again.
_CHECKSUMMED = frozenset({"ogg", "flac", "mp3"})
_MAX_BLOCK_VALUES = 1 << 22
_MAX_MAGNITUDE = 1e10
_SHORTFALL_TOLERANCE_S = 0.05


def is_audio_candidate(path: Path) -> bool:
    """Whether a scan should look at a file: its extension is one of a sound or a video, in any case."""
    extension = path.suffix[1:].lower()
    return extension in _AUDIO_EXTENSIONS or extension in _VIDEO_EXTENSIONS


def probe(path: Path) -> AudioInfo:
    """What a file's header says of its sound, without decoding more than a first packet.

    Raises:
        UnusableFileError: The file cannot be used; the message is the reason.
    """
    with open_audio(path) as sound:
        return sound.info


def open_audio(path: Path) -> AudioStream:
    """Open a file for reading its sound; a context manager.

    Raises:
        UnusableFileError: The file cannot be used; the message is the reason.
    """
    file = open_source(path)
    try:
        return AudioStream(file, _open_reader(file, path))
    except OSError as error:
        file.close()
        raise reading_error(error) from error
    except BaseException:
        file.close()
        raise


class AudioStream:
    """The sound of one open file; made by open_audio.

    Attributes:
        info: What the header says.
    """

    def __init__(self, file: BinaryIO, reader: Reader) -> None:
        self._file = file
        self._reader = reader
        self._position = 0
        self.info = reader.info

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; can be called again."""
        self._reader.close()
        self._file.close()

    def skip_to(self, start_s: float, *, quick: bool = False) -> None:
        """Go forward to a time, to the nearest sample, before anything was read.

        Args:
            start_s: Where to.
            quick: For listening and looking: go there at once also where only decoding gives the same bits.
        """
        frame = round(start_s * self.info.sample_rate_hz)
        self._reader.skip_to(frame, quick=quick)
        self._position = frame

    def blocks(self, block_s: float = 10.0) -> Iterator[FloatArray]:
        """The samples in order, (n, channels) float32 with full scale at 1.

        Every block has the same length but the last. Memory stays constant: the blocks share one buffer, so a block
        is valid only until the next one is asked for, and a block of many channels is shorter than ``block_s``.

        Raises:
            UnusableFileError: The sound is damaged, cut off or missing; blocks may have come before.
        """
        rate, channels = self.info.sample_rate_hz, self.info.channels
        frames = max(1, min(round(block_s * rate), _MAX_BLOCK_VALUES // channels))
        buffer = np.empty((frames, channels), dtype=np.float32)
        count = frames
        while count == frames:
            count = self._reader.read_into(buffer)
            block = buffer[:count]
            if count:
                self._check_values(block)
                self._position += count
                yield block
        self._check_length()

    def _check_values(self, block: FloatArray) -> None:
        if self._reader.integer:
            return
        # NaN passes through max and min, and fails both comparisons.
        if block.max() <= _MAX_MAGNITUDE and block.min() >= -_MAX_MAGNITUDE:
            return
        bad = np.flatnonzero(~(np.abs(block) <= _MAX_MAGNITUDE).all(axis=1))[0]
        at_s = (self._position + int(bad)) / self.info.sample_rate_hz
        raise UnusableFileError(f"It holds samples that are no numbers or absurdly large, from {at_s:.1f} s on.")

    def _check_length(self) -> None:
        if not self._position:
            raise UnusableFileError("The file holds no sound.")
        tolerance_s = self._reader.tolerance_s
        position_s = self._position / self.info.sample_rate_hz
        if tolerance_s is not None and position_s < self.info.duration_s - tolerance_s:
            raise UnusableFileError(_shortfall(position_s, self.info.duration_s))


def _open_reader(file: BinaryIO, path: Path) -> Reader:
    signature = identify(file, path.name)
    if isinstance(signature, NotSound):
        raise UnusableFileError(f"This is {signature.description}.")
    extent = read_extent(file, signature)
    with contextlib.ExitStack() as stack:
        reader = _first_reader(file, path, signature, extent)
        stack.callback(reader.close)
        _check_header(reader.info)
        _check_extent(extent, reader.info, signature)
        stack.pop_all()
    return reader


def _first_reader(file: BinaryIO, path: Path, signature: Signature, extent: Extent) -> Reader:
    """Open a file with the library that suits it, or the other one if that fails."""
    problem: UnusableFileError | None = None
    if not _wants_libav(file, signature, extent):
        try:
            return SoundfileReader(file, path, signature.container, estimated=signature.container == "mp3")
        except UnsupportedError:
            pass
        except UnusableFileError as error:
            if signature.container in _CHECKSUMMED:
                raise _cut_or(extent, error) from error
            problem = error
    if not extent.found:
        raise problem or UnusableFileError("Its header is damaged: it announces no sound.")
    if signature.libav_format is None:
        raise problem or UnusableFileError(f"It is a {signature.container.upper()} file of an unknown variant.")
    # Here, because it takes longer to import than everything else that decodes.
    from core.audio.libav import LibavReader

    try:
        return LibavReader(file, signature.container, signature.libav_format)
    except UnsupportedError as error:
        raise UnusableFileError(f"Its sound cannot be read ({error}).") from error
    except UnusableFileError as error:
        raise _cut_or(extent, problem or error) from error


def _wants_libav(file: BinaryIO, signature: Signature, extent: Extent) -> bool:
    """Where libsndfile would open a file and then lose sound without a word.

    It takes the length of an MPEG stream without a header frame from its first bit rate (and so cuts a variable one),
    reads only the first of several chained Ogg streams, and sees nothing behind a length that was never filled in.
    Of what Ogg may hold it reads Vorbis and Opus well.
    """
    if signature.engine is Engine.LIBAV or extent.unfinished:
        return True
    if signature.container == "mp3":
        totals = read_mpeg_totals(file, signature)
        return totals is None or not totals.frames
    return signature.container == "ogg" and not is_plain_ogg(file)


def _check_header(info: AudioInfo) -> None:
    if not MIN_SAMPLE_RATE_HZ <= info.sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
        raise UnusableFileError(
            f"Its sample rate of {info.sample_rate_hz:,} Hz is outside "
            f"{MIN_SAMPLE_RATE_HZ // 1000} to {MAX_SAMPLE_RATE_HZ // 1000} kHz."
        )
    if not 1 <= info.channels <= MAX_CHANNELS:
        raise UnusableFileError(f"It has {info.channels} channels, more than the {MAX_CHANNELS} that can be read.")


def _check_extent(extent: Extent, info: AudioInfo, signature: Signature) -> None:
    """Refuse a file that was cut off, going by its header."""
    if extent.break_at is not None:
        raise UnusableFileError(_cut_reason(extent))
    if extent.share < 1:
        # libav and MPEG headers tell the promised length, libsndfile what is there of it.
        promised = signature.engine is Engine.LIBAV or signature.container == "mp3"
        promised_s = info.duration_s if promised else info.duration_s / max(extent.share, 1e-9)
        missing_s = (1 - extent.share) * promised_s
        allowed_s = max(0.1, 0.02 * promised_s) if signature.container == "mp3" else _SHORTFALL_TOLERANCE_S
        if missing_s > min(allowed_s, 0.5 * promised_s):
            raise UnusableFileError(_shortfall(extent.share * promised_s, promised_s))
    if not info.duration_s and signature.engine is Engine.SOUNDFILE and not extent.unfinished:
        raise UnusableFileError("The file holds no sound.")


def _cut_or(extent: Extent, problem: UnusableFileError) -> UnusableFileError:
    """The reason to give: that the file is cut off, if it is, which explains all else."""
    if extent.whole:
        return problem
    return UnusableFileError(_cut_reason(extent))


def _cut_reason(extent: Extent) -> str:
    if extent.break_at is not None and extent.break_at < 1:
        return f"Its sound breaks off after {extent.break_at:.0%} of the file."
    if extent.declared:
        return f"The file is cut off: {extent.share:.0%} of what its header promises is there."
    return "The file ends in the middle of its sound."


def _shortfall(there_s: float, promised_s: float) -> str:
    return f"The file ends after {there_s:.1f} s of the {promised_s:.1f} s that its header promises."
