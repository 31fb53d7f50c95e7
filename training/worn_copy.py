"""Copies of sounds as they come back from the world: softer, duller, with a little hiss.

What a copy changes in a sound's vector says nothing about what the sound is (see `training.calibrate.example_turn` and
`training.timbre`).

Shape legend: n samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np
import soxr
from rich.progress import track

from core.audio.frontend import PASST_LOG_MEL
from core.encoders.efficientat import MobileNetTrunk
from core.encoders.folded import FoldedMobileNet
from core.types import FloatArray
from training.config import TrunkConfig
from training.data.cache import ArrayCache, content_key, file_digest
from training.data.feature import ClipReader, TrunkFeatures, run_each, trunk_settings
from training.data.manifest import Clip
from training.data.sound import read_sound

_RATE_HZ = PASST_LOG_MEL.sample_rate_hz
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 16_000, 26_000
_HISS_DB = (-38.0, -22.0)
_LEVEL_DB = (-20.0, 0.0)
Change = Callable[[FloatArray, np.random.Generator], FloatArray]
"""Samples (n,) and where chance comes from -> changed samples."""


def hissing(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """With white noise 22 to 38 dB below the sound."""
    level = float(np.sqrt(np.mean(np.square(samples)))) * _gain(_HISS_DB, rng)
    return np.asarray(samples + level * rng.standard_normal(len(samples)), dtype=np.float32)


def dull(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Without what a rate of 16 to 26 kHz cannot hold."""
    rate_hz = int(rng.integers(_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ + 1))
    return np.asarray(soxr.resample(soxr.resample(samples, _RATE_HZ, rate_hz), rate_hz, _RATE_HZ), dtype=np.float32)


def soft(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Up to 20 dB softer."""
    return np.asarray(samples * np.float32(_gain(_LEVEL_DB, rng)), dtype=np.float32)


def worn(samples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """All of it together."""
    return hissing(dull(soft(samples, rng), rng), rng)


def _gain(decibels: tuple[float, float], rng: np.random.Generator) -> float:
    """A factor of the amplitude, drawn evenly between two levels."""
    return float(10 ** (rng.uniform(*decibels) / 20))


CHANGES: tuple[Change, ...] = (hissing, dull, soft, worn)


def worn_copies(
    clips: Sequence[Clip],
    *,
    trunk: MobileNetTrunk,
    trunk_digest: str,
    config: TrunkConfig,
    cache: ArrayCache,
    seed: int,
) -> TrunkFeatures:
    """What the trunk makes of one copy of every clip, the changes taking turns.

    Args:
        clips: Of which copies are made.
        trunk: In evaluation mode, on the CPU.
        trunk_digest: Of its weights; part of the cache's key.
        config: How clips are read.
        cache: Where the features are kept.
        seed: Where chance comes from.

    Raises:
        UnusableFileError: A clip cannot be read.
    """
    read, run = ClipReader(config), FoldedMobileNet(trunk)
    longest = round(config.window_s * _RATE_HZ)

    def compute() -> dict[str, FloatArray]:
        rng = np.random.default_rng(seed)
        sounds = (read_sound(clip, sample_rate_hz=_RATE_HZ)[:longest] for clip in clips)
        changed = (change(sound, rng) for change, sound in zip(cycle(CHANGES), sounds, strict=False))
        shown = track(changed, total=len(clips), description="copies of sounds", transient=True)
        return run_each((read.frames(copy) for copy in shown), run)

    key = content_key(
        kind="worn copies",
        files=[file_digest(clip.path) for clip in clips],
        hiss_db=_HISS_DB,
        level_db=_LEVEL_DB,
        rates_hz=(_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ),
        seed=seed,
        **trunk_settings(trunk, trunk_digest, config),
    )
    kept = cache.get(key, compute)
    return TrunkFeatures(kept["embedding"], kept["logits"])
