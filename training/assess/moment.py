"""Is the right moment of a long sound found?

Scenes of 30 to 60 seconds are made of clips that follow each other with silence between. Each is then asked for by a
caption of one of its clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.audio.mono import read_mono
from core.encoders.protocol import DualEncoder
from core.encoders.windows import plan_windows
from core.types import FloatArray, Span
from training.assess.focus import focus
from training.data.manifest import Clip

_SHORTEST_S, _LONGEST_S = 30.0, 60.0
_SHORTEST_CLIP_S = 1.0
_FLOOR_DB = -60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Clips one after the other.

    Attributes:
        samples: (n,) mono.
        clips: What can be heard, in order.
        spans: Where each of them is.
    """

    samples: FloatArray
    clips: tuple[Clip, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class MomentFigures:
    """Shares of the questions, 0 to 1.

    Attributes:
        window: The best window overlaps the event.
        peak: The middle of the best two seconds in it lies inside the event.
        questions: How many.
    """

    window: float
    peak: float
    questions: int


def make_scenes(clips: Sequence[Clip], *, count: int, rate_hz: int, seed: int = 0) -> list[Scene]:
    """Scenes of clips of different categories, with a half to four seconds of very soft noise between them."""
    rng = np.random.default_rng(seed)
    usable = [clip for clip in clips if clip.duration_s >= _SHORTEST_CLIP_S]
    return [_scene(usable, float(rng.uniform(_SHORTEST_S, _LONGEST_S)), rate_hz, rng) for _ in range(count)]


def _scene(clips: Sequence[Clip], length_s: float, rate_hz: int, rng: np.random.Generator) -> Scene:
    parts: list[FloatArray] = []
    chosen: list[Clip] = []
    spans: list[Span] = []
    at = 0
    for row in rng.permutation(len(clips)).tolist():
        gap = round(rng.uniform(0.5, 4.0) * rate_hz)
        sound = read_mono(clips[row].path, sample_rate_hz=rate_hz)
        if at + gap + len(sound) > length_s * rate_hz:
            break
        if clips[row].category in {clip.category for clip in chosen}:
            continue
        parts += [np.zeros(gap, dtype=np.float32), sound]
        spans.append(Span((at + gap) / rate_hz, (at + gap + len(sound)) / rate_hz))
        chosen.append(clips[row])
        at += gap + len(sound)
    parts.append(np.zeros(max(0, round(length_s * rate_hz) - at), dtype=np.float32))
    samples = np.concatenate(parts)
    samples += np.float32(10 ** (_FLOOR_DB / 20)) * rng.standard_normal(len(samples)).astype(np.float32)
    return Scene(samples, tuple(chosen), tuple(spans))


def moment_figures(encoder: DualEncoder, scenes: Sequence[Scene]) -> MomentFigures:
    """Ask each scene for every clip in it by the clip's first caption."""
    rate = encoder.card.sample_rate_hz
    window, hop = round(encoder.card.window_s * rate), round(encoder.card.hop_s * rate)
    overlaps: list[bool] = []
    inside: list[bool] = []
    for scene in scenes:
        if len(scene.clips) < 2:
            continue
        ranges = plan_windows(len(scene.samples), window, hop)
        vectors = encoder.embed_audio([scene.samples[start:end] for start, end in ranges])
        queries = encoder.embed_text([clip.captions[0] for clip in scene.clips])
        for query, span in zip(queries, scene.spans, strict=True):
            start, end = ranges[int((vectors @ query).argmax())]
            overlaps.append(start / rate < span.end_s and span.start_s < end / rate)
            peak = focus(encoder, scene.samples[start:end], query)
            middle_s = start / rate + (peak.start_s + peak.end_s) / 2
            inside.append(span.start_s <= middle_s <= span.end_s)
    return MomentFigures(float(np.mean(overlaps)), float(np.mean(inside)), len(overlaps))
