"""Scenes of two clips, so that a captioner can learn what comes first and what is heard at once.

In a sequence the second clip begins shortly after the first has ended. In a superposition both sound from end to end,
and the one that the caption names first stands in front: it is some decibels louder, and the other may be far away,
with the treble and the echoes of its distance.

Shape legend: n samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.types import FloatArray
from training.captioning.relation import FRONT, SEQUENCE, SUPERPOSITION, Relation, join
from training.data.manifest import Clip
from training.data.mixture import from_afar

_LONGEST_PART_S = 4.7
_SHORTEST_PART_S = 0.25
_FADE_S = 0.02
_LEVEL_DBFS = -20.0
_LEVEL_SPREAD_DB = 3.0
_GAP_S = (0.05, 0.5)
FRONT_DB = (5.0, 12.0)
_FULL_SCALE = 0.98
_TRIES = 1000


@dataclass(frozen=True, slots=True)
class Scene:
    """Two clips, by number, and how they lie in time.

    Attributes:
        first: Comes first, or stands in front.
        second: The other.
        relation: Of the two.
        seed: Levels, gap and places follow from it.
        front_db: How much louder the front of a superposition is, from and to.
        far: Whether its background is far away.
    """

    first: int
    second: int
    relation: Relation
    seed: int
    front_db: tuple[float, float] = FRONT_DB
    far: bool = False


def draw_scenes(
    clips: Sequence[Clip],
    rows: Sequence[int],
    *,
    count: int,
    superposed: float,
    rng: np.random.Generator,
    front_db: tuple[float, float] = FRONT_DB,
    far: float = 0.0,
) -> list[Scene]:
    """Pairs of clips of different kinds, each in both orders.

    Args:
        clips: All clips.
        rows: Numbers of those that may be used; clips shorter than a quarter of a second are left out.
        count: How many scenes; an odd one loses its mirror image.
        superposed: Share of them in which both sound at once.
        rng: Where chance comes from.
        front_db: How much louder the one in front is, from and to.
        far: Share of these whose background is far away.

    Raises:
        ValueError: The clips are all of one category.
    """
    usable = [row for row in rows if clips[row].duration_s >= _SHORTEST_PART_S]
    scenes: list[Scene] = []
    for _ in range(_TRIES * count):
        if len(scenes) >= count:
            return scenes[:count]
        first, second = (int(usable[number]) for number in rng.integers(len(usable), size=2))
        if clips[first].category == clips[second].category:
            continue
        relation: Relation = "superposition" if rng.random() < superposed else "sequence"
        seed = int(rng.integers(2**31))
        is_far = far > 0 and relation == "superposition" and bool(rng.random() < far)
        scenes.append(Scene(first, second, relation, seed, front_db, is_far))
        scenes.append(Scene(second, first, relation, seed + 1, front_db, is_far))
    raise ValueError("there are no two clips of different categories to make a scene of")


def scene_words(relation: Relation, *, front: bool = False) -> tuple[str, ...]:
    """The words that a caption of such a scene may use; also those that say what stands in front, if wanted."""
    if relation == "sequence":
        return SEQUENCE
    return (*SUPERPOSITION, *FRONT) if front else SUPERPOSITION


def scene_captions(scene: Scene, clips: Sequence[Clip], words: str) -> list[str]:
    """The scene told with every pair of its clips' captions, in lower case."""
    return [
        join(first.lower(), second.lower(), words)
        for first in clips[scene.first].captions
        for second in clips[scene.second].captions
    ]


def compose(first: FloatArray, second: FloatArray, scene: Scene, *, sample_rate_hz: int) -> FloatArray:
    """The sound of a scene, at most ten seconds, with peaks below full scale.

    Args:
        first: (n,) the first clip.
        second: (n,) the second.
        scene: Says how they lie in time.
        sample_rate_hz: Of both.
    """
    rng = np.random.default_rng(scene.seed)
    longest = round(_LONGEST_PART_S * sample_rate_hz)
    front, back = (_levelled(clip[:longest], sample_rate_hz) for clip in (first, second))
    if scene.relation == "sequence":
        front, back = (part * _gain(rng.uniform(-_LEVEL_SPREAD_DB, _LEVEL_SPREAD_DB)) for part in (front, back))
        gap = np.zeros(round(rng.uniform(*_GAP_S) * sample_rate_hz), dtype=np.float32)
        mixed = np.concatenate([front, gap, back])
    else:
        length = max(len(front), len(back))
        gap_samples = round(rng.uniform(*_GAP_S) * sample_rate_hz)
        softer_db = rng.uniform(*scene.front_db)
        if scene.far:
            back = _levelled(from_afar(back, sample_rate_hz, rng), sample_rate_hz)
        behind = _repeated(back, length, gap_samples) * _gain(-softer_db)
        mixed = _repeated(front, length, gap_samples) + behind
    peak = float(np.abs(mixed).max())
    return np.asarray(mixed * min(1.0, _FULL_SCALE / max(peak, 1e-9)), dtype=np.float32)


def _gain(level_db: float) -> float:
    return float(10 ** (level_db / 20))


def _levelled(samples: FloatArray, sample_rate_hz: int) -> FloatArray:
    """At the common level, with its ends faded."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    levelled: FloatArray = np.asarray(samples * (_gain(_LEVEL_DBFS) / max(power, 1e-12) ** 0.5), dtype=np.float32)
    fade = min(round(_FADE_S * sample_rate_hz), len(levelled) // 2)
    if fade:
        ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        levelled[:fade] *= ramp
        levelled[-fade:] *= ramp[::-1]
    return levelled


def _repeated(samples: FloatArray, length: int, gap_samples: int) -> FloatArray:
    """The sound again and again until the scene is over; what is cut off at the end is a repetition."""
    filled = np.zeros(length, dtype=np.float32)
    for start in range(0, length, len(samples) + gap_samples):
        part = samples[: length - start]
        filled[start : start + len(part)] = part
    return filled
