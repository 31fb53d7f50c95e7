"""Search by example: is another take of a sound found, and does a changed copy still find the same?

Shape legend: n clips, d embedding.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from core.audio.mono import read_mono
from core.encoders.protocol import DualEncoder
from core.encoders.relevance import Relevance
from core.search.clip import from_onset
from core.types import FloatArray
from training.data.manifest import Clip

_LOOKED_AT = 5
Change = Callable[[FloatArray, int], FloatArray]
"""Samples (n,) and their rate in Hz -> changed samples."""


@dataclass(frozen=True, slots=True)
class ExampleFigures:
    """Shares of the examples, 0 to 1.

    Attributes:
        found: Another take of the same group stands among the first five answers.
        changed: The same for a changed copy of the example, by the name of the change.
        examples: How many clips have another take.
    """

    found: float
    changed: dict[str, float]
    examples: int


def _quieter(samples: FloatArray, rate_hz: int) -> FloatArray:
    return samples * np.float32(10 ** (-12 / 20))


def as_mp3(samples: FloatArray, rate_hz: int) -> bytes:
    """A sound (n,) as an MP3 of 96 kbit/s."""
    stream = io.BytesIO()
    # libsndfile's scale from 0 (best) to 1 runs from 320 down to 32 kbit/s at 32 kHz.
    level = (320 - 96) / (320 - 32)
    soundfile.write(
        stream,
        samples,
        rate_hz,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=level,
    )
    return stream.getvalue()


def _through_mp3(samples: FloatArray, rate_hz: int) -> FloatArray:
    decoded, _ = soundfile.read(io.BytesIO(as_mp3(samples, rate_hz)), dtype="float32")
    return np.asarray(decoded, dtype=np.float32)


def _at_22_khz(samples: FloatArray, rate_hz: int) -> FloatArray:
    return np.asarray(soxr.resample(soxr.resample(samples, rate_hz, 22050), 22050, rate_hz), dtype=np.float32)


def _later(samples: FloatArray, rate_hz: int) -> FloatArray:
    return np.concatenate([np.zeros(rate_hz, dtype=np.float32), samples])


def _noisy(samples: FloatArray, rate_hz: int) -> FloatArray:
    level = float(np.sqrt(np.mean(np.square(samples)))) * 10 ** (-30 / 20)
    noise = np.random.default_rng(len(samples)).standard_normal(len(samples)).astype(np.float32)
    return np.asarray(samples + level * noise, dtype=np.float32)


CHANGES: dict[str, Change] = {
    "12 dB quieter": _quieter,
    "MP3 at 96 kbit/s": _through_mp3,
    "resampled to 22 kHz": _at_22_khz,
    "1 s later": _later,
    "noise 30 dB below": _noisy,
}


def example_figures(
    encoder: DualEncoder,
    vectors: FloatArray,
    clips: Sequence[Clip],
    *,
    relevance: Relevance,
    without_sources: Collection[str] = (),
) -> ExampleFigures:
    """Put every clip that has another take to all other clips.

    Args:
        encoder: Embeds the changed copies.
        vectors: (n, d) of the clips.
        clips: n of them, the library.
        relevance: How the model compares examples.
        without_sources: Sources whose groups are not takes of one sound give no examples.
    """
    groups = np.asarray([clip.group for clip in clips])
    examples = [
        row
        for row, clip in enumerate(clips)
        if clip.source not in without_sources and np.count_nonzero(groups == clip.group) > 1
    ]
    rate = encoder.card.sample_rate_hz
    window = round(encoder.card.window_s * rate)
    sounds = [read_mono(clips[row].path, sample_rate_hz=rate)[:window] for row in examples]
    changed = {
        name: _found(
            relevance.example(
                np.stack([encoder.embed_audio([from_onset(change(sound, rate))])[0] for sound in sounds])
            ),
            examples,
            vectors,
            groups,
        )
        for name, change in CHANGES.items()
    }
    return ExampleFigures(
        _found(relevance.example(vectors[examples]), examples, vectors, groups), changed, len(examples)
    )


def _found(queries: FloatArray, examples: Sequence[int], vectors: FloatArray, groups: np.ndarray) -> float:
    scores = queries @ vectors.T
    scores[np.arange(len(examples)), examples] = -np.inf
    first = np.argsort(-scores, axis=1, kind="stable")[:, :_LOOKED_AT]
    return float((groups[first] == groups[list(examples)][:, None]).any(axis=1).mean())
