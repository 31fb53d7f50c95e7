"""One channel at the encoder's sample rate, streamed.

The down-mix is the average of all channels: mono material keeps its level whatever the number of channels, nothing can
clip, and no channel layout has to be known. Resampling is soxr's "HQ" (20-bit) quality: it takes as long as "MQ" where
this was measured, and "VHQ" takes a third longer for differences below what any encoder sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import soxr

from core.audio.decode import AudioStream, open_audio
from core.errors import UnusableFileError
from core.jobs.clock import StageClock
from core.types import FloatArray, Span

BlockObserver = Callable[[FloatArray], None]

_QUALITY = "HQ"
_MARGIN_S = 0.05  # longer than half of soxr's filter at the lowest rate


def mix_down(block: FloatArray) -> FloatArray:
    """Average of the channels.

    Args:
        block: (n, channels) float32.

    Returns:
        (n,) float32 that shares no memory with the block.
    """
    channels = block.shape[1]
    if channels == 1:
        return block[:, 0].copy()
    # Adding columns is some ten times faster than a mean over the short axis, and no BLAS spreads it over threads.
    mixed = np.add(block[:, 0], block[:, 1])
    for channel in range(2, channels):
        mixed += block[:, channel]
    mixed *= np.float32(1 / channels)
    return mixed


def stream_mono(
    path: Path,
    *,
    sample_rate_hz: int,
    block_s: float = 10.0,
    observer: BlockObserver | None = None,
    clock: StageClock | None = None,
) -> Iterator[FloatArray]:
    """The whole sound of a file as one channel, in blocks, in constant memory.

    The concatenated blocks do not depend on ``block_s``.

    Args:
        path: The file.
        sample_rate_hz: Rate to resample to.
        block_s: Length of the blocks that are decoded at once; the blocks that come out are about as long.
        observer: Called with every decoded block, (n, channels) float32, valid during the call only.
        clock: Counts the stages "decode", "observe", "mix" and "resample".

    Yields:
        (n,) float32 with full scale at 1; n may differ from block to block, and is never 0.

    Raises:
        UnusableFileError: As open_audio and AudioStream.blocks.
    """
    with _timed(clock, "decode"):
        sound = open_audio(path)
    with sound:
        yield from mono_blocks(sound, sample_rate_hz=sample_rate_hz, block_s=block_s, observer=observer, clock=clock)


def mono_blocks(
    sound: AudioStream,
    *,
    sample_rate_hz: int,
    block_s: float = 10.0,
    observer: BlockObserver | None = None,
    clock: StageClock | None = None,
) -> Iterator[FloatArray]:
    """Like stream_mono, of a file that is open already; whoever opened it closes it."""
    resampler: soxr.ResampleStream | None = None
    if sound.info.sample_rate_hz != sample_rate_hz:
        resampler = soxr.ResampleStream(sound.info.sample_rate_hz, sample_rate_hz, 1, dtype="float32", quality=_QUALITY)
    blocks = sound.blocks(block_s)
    while True:
        with _timed(clock, "decode"):
            block = next(blocks, None)
        if block is not None and observer is not None:
            with _timed(clock, "observe"):
                observer(block)
        with _timed(clock, "mix"):
            mono = np.empty(0, dtype=np.float32) if block is None else mix_down(block)
        if resampler is not None:
            with _timed(clock, "resample"):
                mono = resampler.resample_chunk(mono, last=block is None)
        if len(mono):
            yield mono
        if block is None:
            return


def read_mono(path: Path, *, sample_rate_hz: int, span: Span | None = None) -> FloatArray:
    """A file's sound, or a part of it, as one channel.

    A part equals the same part of the whole file's sound: it is read with a margin on both sides for the resampler's
    filter, which is cut off again.

    Returns:
        (n,) float32 with full scale at 1; shorter than the span if the file ends before it does.

    Raises:
        UnusableFileError: As open_audio and AudioStream.blocks, or the span lies behind the end of the file.
    """
    if span is None:
        return np.concatenate(list(stream_mono(path, sample_rate_hz=sample_rate_hz)))
    with open_audio(path) as sound:
        samples = _read_span(sound, sample_rate_hz, span)
    if not len(samples):
        raise UnusableFileError(f"The file ends before {span.start_s:.1f} s.")
    return samples


def _read_span(sound: AudioStream, sample_rate_hz: int, span: Span) -> FloatArray:
    source_hz = sound.info.sample_rate_hz
    # Samples of both rates coincide every `period` source samples; starting there keeps the resampler's phase.
    period = source_hz // math.gcd(source_hz, sample_rate_hz)
    first = math.floor(max(0.0, span.start_s - _MARGIN_S) * source_hz / period) * period
    sound.skip_to(first / source_hz)
    offset = round(span.start_s * sample_rate_hz) - first * sample_rate_hz // source_hz
    length = max(1, round(span.duration_s * sample_rate_hz))
    wanted = offset + length + math.ceil(_MARGIN_S * sample_rate_hz)
    parts: list[FloatArray] = []
    count = 0
    for part in mono_blocks(sound, sample_rate_hz=sample_rate_hz, block_s=min(10.0, span.duration_s + 1.0)):
        parts.append(part)
        count += len(part)
        if count >= wanted:
            break
    return np.concatenate(parts)[offset : offset + length].copy() if parts else np.empty(0, dtype=np.float32)


def _timed(clock: StageClock | None, stage: str) -> AbstractContextManager[None]:
    return nullcontext() if clock is None else clock.stage(stage)
