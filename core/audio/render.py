"""Writing sounds: a region for another program, and files for a folder of the user's choice.

- Samples are copied as they are where rate and depth allow it. Else they are resampled (soxr "VHQ") and rounded; to 16
  bits with triangular dither of one step (Lipshitz, Wannamaker, Vanderkooy 1992), never to 24, whose steps lie below
  every converter's noise. 32 bits are floating point. All channels are kept.
- A file appears whole or not at all, and never in the place of another one.
- Sounds are decoded to 32-bit floating point, so that of 32-bit integers 25 bits survive.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from core.audio.broadcast import append_words, words_of
from core.audio.cache import CacheFolder
from core.audio.cursor import sound_key
from core.audio.decode import AudioStream, open_audio
from core.audio.metadata import best, read_metadata
from core.audio.naming import fill_pattern, free_name, safe_name, spoken
from core.errors import KnownError, UnusableFileError
from core.jobs import CancelToken, Event, Progress, Skipped, Written
from core.types import AudioInfo, FloatArray, Span

_log = logging.getLogger(__name__)

BitDepth = Literal[16, 24, 32]
Container = Literal["wav", "flac"]

_SUBTYPES: dict[int, str] = {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}
_QUALITY = "VHQ"
_BLOCK_S = 5.0
_LARGEST_WAV_BYTES = 4_000_000_000
_DITHER_SEED = 0x0EA7
_FLAC_MAX_CHANNELS = 8
_FLAC_MAX_RATE_HZ = 655_350


class ExportError(KnownError):
    """Nothing can be written to a folder."""


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """What files to write.

    Attributes:
        container: "wav" or "flac".
        bit_depth: 16, 24, or 32 (floating point, WAV only); None keeps the source's.
        sample_rate_hz: None keeps the source's.
    """

    container: Container = "wav"
    bit_depth: BitDepth | None = None
    sample_rate_hz: int | None = None

    def __post_init__(self) -> None:
        if self.container == "flac" and self.bit_depth == 32:
            raise ValueError("FLAC holds no floating point samples")


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One sound to write.

    Attributes:
        path: Its file.
        span: The part of it, None for all.
        fields: For the naming pattern; see `core.audio.naming.FIELDS`.
    """

    path: Path
    span: Span | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


def plan_names(
    items: Sequence[ExportItem], *, folder: Path, pattern: str, container: Container, total: int | None = None
) -> list[Path]:
    """Where each item would be written now.

    Args:
        items: The sounds.
        folder: Where to.
        pattern: For their names.
        container: For the extension.
        total: How many sounds there are in all, where these are only the first ones.

    Raises:
        PatternError: The pattern cannot be understood.
    """
    taken: set[str] = set()
    planned = []
    for number, item in enumerate(items, start=1):
        fields = {"name": item.path.stem, "folder": item.path.parent.name, **item.fields}
        fields.setdefault("number", str(number).zfill(len(str(total or len(items)))))
        path = free_name(folder, fill_pattern(pattern, fields), f".{container}", taken)
        taken.add(path.name.lower())
        planned.append(path)
    return planned


def export(
    items: Sequence[ExportItem],
    *,
    folder: Path,
    pattern: str,
    output: ExportFormat,
    handles_s: float = 0.0,
    cancel: CancelToken,
) -> Iterator[Event]:
    """Write sounds to a folder, one after the other.

    Args:
        items: The sounds.
        folder: Where to; made if it is not there.
        pattern: For their names.
        output: Their format.
        handles_s: What to add before and after a region, as far as the sound reaches.
        cancel: To break off; what was written stays, and a file begun is removed.

    Yields:
        For each sound Written with the path, or Skipped with the reason; then Progress.

    Raises:
        ExportError: The folder cannot be written, or is full.
        PatternError: The pattern cannot be understood.
        CancelledError: A stop was asked for.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _folder_error(folder, error) from error
    paths = plan_names(items, folder=folder, pattern=pattern, container=output.container)
    for number, (item, path) in enumerate(zip(items, paths, strict=True), start=1):
        cancel.check()
        try:
            written = _export_one(item, path, output, handles_s, cancel)
        except UnusableFileError as error:
            yield Skipped(str(item.path), str(error))
        else:
            yield Written(str(written))
        yield Progress("export", number, len(items), item.path.name)


def render_region(
    path: Path, span: Span, *, handles_s: float = 0.0, cache: CacheFolder, cancel: CancelToken | None = None
) -> Path:
    """A region as a WAV file in the cache, at the source's rate and depth; made at once unless it is there.

    Args:
        path: The file.
        span: The region.
        handles_s: What to add before and after it, as far as the sound reaches.
        cache: Whose `hold` and `release` keep the file while another program may want it.
        cancel: To break off; nothing is left behind.

    Raises:
        CancelledError: A stop was asked for.
        UnusableFileError: The sound cannot be read.
        CacheError: The cache cannot be written.
    """
    target = _region_target(path, span, handles_s, cache)
    if not cache.found(target):
        wide = _with_handles(span, handles_s)

        def fill(part: Path) -> None:
            _write_sound(part, path, wide, ExportFormat(), cancel or CancelToken())
            part.chmod(0o644)  # it is for other programs, and may be copied to where others read it

        cache.write(target, fill)
    return target


def rendered_region(path: Path, span: Span, *, handles_s: float = 0.0, cache: CacheFolder) -> Path | None:
    """What `render_region` has made already of the file as it is now, or None; takes no time worth speaking of.

    Raises:
        UnusableFileError: The sound is not there.
    """
    target = _region_target(path, span, handles_s, cache)
    return target if cache.found(target) else None


def _region_target(path: Path, span: Span, handles_s: float, cache: CacheFolder) -> Path:
    key = sound_key(path)
    name = f"{safe_name(f'{path.stem}_{spoken(span.start_s)}-{spoken(span.end_s)}')}.wav"
    return cache.path((str(path), key.size_bytes, key.mtime_ns, span.start_s, span.end_s, handles_s), name)


def _export_one(item: ExportItem, path: Path, output: ExportFormat, handles_s: float, cancel: CancelToken) -> Path:
    """Write one file in a place that is reserved for it first.

    Raises:
        UnusableFileError: The sound cannot be read.
        ExportError: The folder cannot be written.
    """
    span = None if item.span is None else _with_handles(item.span, handles_s)
    try:
        path = _reserve(path)
        try:
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
            try:
                os.close(descriptor)
                _write_sound(Path(name), item.path, span, output, cancel)
                with Path(name).open("rb+") as file:
                    os.fsync(file.fileno())
                Path(name).chmod(path.stat().st_mode)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except BaseException:
            _give_up(path)
            raise
    except OSError as error:
        raise _folder_error(path.parent, error) from error
    return path


def _reserve(path: Path) -> Path:
    """Make an empty file under a name that no other program takes in the meantime."""
    while True:
        try:
            path.open("xb").close()
        except FileExistsError:
            path = free_name(path.parent, path.stem, path.suffix)
        else:
            return path


def _give_up(path: Path) -> None:
    """Remove a reserved name, unless somebody has put something there."""
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            path.unlink()


def _write_sound(target: Path, path: Path, span: Span | None, output: ExportFormat, cancel: CancelToken) -> None:
    """Write a sound or a part of it.

    Raises:
        UnusableFileError: The sound cannot be read, or not be written in this format.
        OSError: The disk is full or gone.
    """
    with open_audio(path) as sound:
        info = sound.info
        rate_hz = output.sample_rate_hz or info.sample_rate_hz
        depth = output.bit_depth or _own_depth(info, output.container)
        if output.container == "flac" and (info.channels > _FLAC_MAX_CHANNELS or rate_hz > _FLAC_MAX_RATE_HZ):
            raise UnusableFileError(f"FLAC holds at most {_FLAC_MAX_CHANNELS} channels, and it has {info.channels}.")
        writer = _Writer(target, info, rate_hz=rate_hz, depth=depth, container=output.container, span=span)
        words = words_of(read_metadata(path), info.sample_rate_hz)
        if words.time_reference_s is not None and span is not None:
            words = replace(words, time_reference_s=words.time_reference_s + span.start_s)
        with writer.opened(comment=words.description, title=best(read_metadata(path), "title") or ""):
            for block in _part(sound, span):
                cancel.check()
                writer.add(block)
            writer.finish()
    if output.container == "wav":
        append_words(target, words, sample_rate_hz=rate_hz)


class _Writer:
    """Resamples, dithers and encodes blocks."""

    def __init__(
        self, target: Path, info: AudioInfo, *, rate_hz: int, depth: int, container: Container, span: Span | None
    ) -> None:
        self._target = target
        self._channels, self._rate_hz = info.channels, rate_hz
        duration_s = info.duration_s if span is None else span.duration_s
        is_long = duration_s * rate_hz * info.channels * depth / 8 > _LARGEST_WAV_BYTES
        self._format = "FLAC" if container == "flac" else "RF64" if is_long else "WAV"
        self._subtype = _SUBTYPES[depth]
        self._depth = depth
        self._resampler: soxr.ResampleStream | None = None
        if rate_hz != info.sample_rate_hz:
            self._resampler = soxr.ResampleStream(
                info.sample_rate_hz, rate_hz, info.channels, dtype="float32", quality=_QUALITY
            )
        is_exact = self._resampler is None and info.bit_depth is not None and info.bit_depth <= 16
        is_float = info.encoding in ("FLOAT", "DOUBLE") or not info.bit_depth
        self._dither = np.random.default_rng(_DITHER_SEED) if depth == 16 and not (is_exact and not is_float) else None
        self._sound: soundfile.SoundFile | None = None
        self._written = 0

    @contextlib.contextmanager
    def opened(self, *, comment: str, title: str) -> Iterator[None]:
        """Write the header, and complete it at the end."""
        with soundfile.SoundFile(
            self._target, "w", self._rate_hz, self._channels, format=self._format, subtype=self._subtype
        ) as self._sound:
            if self._format == "FLAC":
                if comment:
                    self._sound.comment = comment
                if title:
                    self._sound.title = title
            try:
                yield
            except soundfile.LibsndfileError as error:
                raise OSError(errno.EIO, f"writing failed: {error.error_string}") from error

    def add(self, block: FloatArray) -> None:
        """Write the next samples, (n, channels)."""
        self._encode(block if self._resampler is None else self._resampler.resample_chunk(np.ascontiguousarray(block)))

    def finish(self) -> None:
        """Write what the resampler still holds.

        Raises:
            UnusableFileError: There was nothing.
        """
        if self._resampler is not None:
            self._encode(self._resampler.resample_chunk(np.empty((0, self._channels), dtype=np.float32), last=True))
        if not self._written:
            raise UnusableFileError("The region lies behind the end of the sound.")

    def _encode(self, samples: FloatArray) -> None:
        """Round and write.

        libsndfile would scale by 32,767 what it read by 1/32,768; so the integers are made here.

        Raises:
            OSError: The disk is full.
        """
        if not len(samples) or self._sound is None:
            return
        values: npt.NDArray[np.generic] = samples
        if self._depth < 32:
            scaled = samples.astype(np.float64) * (1 << (self._depth - 1))
            if self._dither is not None:
                scaled += self._dither.random(samples.shape, dtype=np.float32)
                scaled -= self._dither.random(samples.shape, dtype=np.float32)
            most = 1 << (self._depth - 1)
            values = (np.clip(np.rint(scaled), -most, most - 1).astype(np.int32)) << (32 - self._depth)
        try:
            self._sound.write(values)
        except AssertionError as error:  # how soundfile says that fewer samples were taken
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        self._written += len(samples)


def _part(sound: AudioStream, span: Span | None) -> Iterator[FloatArray]:
    """The samples of a part, to the very sample, as far as the sound reaches."""
    if span is None:
        yield from sound.blocks(_BLOCK_S)
        return
    rate_hz = sound.info.sample_rate_hz
    first = round(span.start_s * rate_hz)
    left = max(1, round(span.end_s * rate_hz) - first)
    sound.skip_to(first / rate_hz)
    for block in sound.blocks(min(_BLOCK_S, left / rate_hz + 0.01)):
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return


def _own_depth(info: AudioInfo, container: Container) -> int:
    """The depth that loses nothing: 24 bits for whatever has no depth of its own."""
    if info.encoding in ("FLOAT", "DOUBLE") or (info.bit_depth or 24) > 24:
        return 24 if container == "flac" else 32
    return 16 if (info.bit_depth or 24) <= 16 else 24


def _with_handles(span: Span, handles_s: float) -> Span:
    return Span(max(0.0, span.start_s - handles_s), span.end_s + handles_s)


def _folder_error(folder: Path, error: OSError) -> ExportError:
    if error.errno == errno.ENOSPC:
        return ExportError(f"The disk with {folder} is full.", "Make room there, or choose another folder.")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return ExportError(f"Nothing can be written to {folder} ({reason}).", "Choose another folder.")
