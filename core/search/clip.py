"""An example clip as one vector."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.audio.mono import read_mono, stream_mono
from core.encoders.protocol import DualEncoder
from core.encoders.windows import plan_windows, pool_windows
from core.errors import UnusableFileError
from core.search.query import ClipPart
from core.types import FloatArray

_PIECE_WINDOWS = 6
_SILENCE = 10 ** (-80 / 20)
"""Full scale is 1; what is softer before a sound sets in is no part of it."""


def embed_clip(encoder: DualEncoder, clip: ClipPart) -> FloatArray:
    """The unit vector (d,) of a file or of a stretch of it: the duration-weighted mean over its windows.

    The file is read in pieces of some windows, so that an hour costs no more memory than a minute.

    Raises:
        UnusableFileError: The file cannot be read, or the stretch lies outside it.
    """
    vectors, lengths = _embedded(encoder, clip)
    if not vectors:
        raise UnusableFileError(f"{clip.text} holds no sound.", "Check the stretch against the length of the file.")
    return pool_windows(np.concatenate(vectors), lengths)


def from_onset(samples: FloatArray) -> FloatArray:
    """A sound (n,) without the silence before it; what is silent from beginning to end stays whole."""
    loud = np.abs(samples) >= _SILENCE
    return samples[int(loud.argmax()) :] if loud.any() else samples


def _embedded(encoder: DualEncoder, clip: ClipPart) -> tuple[list[FloatArray], list[int]]:
    """The vectors of the clip's windows, (n, d) for every piece, and the windows' lengths in samples."""
    rate = encoder.card.sample_rate_hz
    window, hop = round(encoder.card.window_s * rate), round(encoder.card.hop_s * rate)
    vectors: list[FloatArray] = []
    lengths: list[int] = []
    try:
        for piece in _pieces(clip, rate, piece_samples=_PIECE_WINDOWS * window):
            ranges = plan_windows(len(piece), window, hop)
            vectors.append(encoder.embed_audio([piece[start:end] for start, end in ranges]))
            lengths.extend(end - start for start, end in ranges)
    except UnusableFileError as error:
        # A question may hold several clips: which of them is meant has to be said.
        raise UnusableFileError(
            f"The example {clip.path.name} cannot be used: {error.message}", error.way_out
        ) from error
    return vectors, lengths


def _pieces(clip: ClipPart, rate_hz: int, *, piece_samples: int) -> Iterator[FloatArray]:
    """The clip's sound from its onset, mono, in pieces of `piece_samples` and a rest."""
    if clip.span is not None:
        samples = from_onset(read_mono(clip.path, sample_rate_hz=rate_hz, span=clip.span))
        yield from (samples[start : start + piece_samples] for start in range(0, len(samples), piece_samples))
        return
    held: list[FloatArray] = []
    count = 0
    for block in _blocks_from_onset(stream_mono(clip.path, sample_rate_hz=rate_hz)):
        held.append(block)
        count += len(block)
        if count >= piece_samples:
            yield np.concatenate(held)
            held, count = [], 0
    if count:
        yield np.concatenate(held)


def _blocks_from_onset(blocks: Iterator[FloatArray]) -> Iterator[FloatArray]:
    """Blocks (n_i,) without the silence before the first sound; of nothing but silence the first block."""
    first: FloatArray | None = None
    for block in blocks:
        if (np.abs(block) >= _SILENCE).any():
            yield from_onset(block)
            yield from blocks
            return
        first = block if first is None else first
    if first is not None:
        yield first
