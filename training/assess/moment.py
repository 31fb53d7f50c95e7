"""Is the right moment of a long sound found?

Scenes of 30 to 60 seconds are made of clips that follow each other: packed, with as many as there is room for; roomy,
as a recording in the field is, with three to five of them and seconds of quiet between; and the same over a soft
ambience. Each is then asked for by a caption of one of its clips, and what the program shows is looked at.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.audio.mono import read_mono
from core.encoders.protocol import DualEncoder
from core.encoders.relevance import Relevance
from core.encoders.windows import plan_windows
from core.search.focus import find_focus, listen
from core.types import FloatArray, Span
from training.data.manifest import Clip

Kind = Literal["packed", "roomy", "over an ambience"]
KINDS: tuple[Kind, ...] = ("packed", "roomy", "over an ambience")
_SHORTEST_S, _LONGEST_S = 30.0, 60.0
_SHORTEST_CLIP_S = 1.0
_FLOOR_DB = -60.0
_PACKED_GAP_S = (0.5, 4.0)
_FEWEST, _MOST = 3, 5
_LEAST_QUIET_S = 3.0
_AMBIENCES = frozenset({"ambience", "weather", "water"})
_SHORTEST_AMBIENCE_S = 8.0
_AMBIENCE_DB = -12.0
"""An ambience's level against that of the softest event over it."""
_FADE_S = 0.5


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
        stored: The best window of the index overlaps the event.
        window: The window that the program shows after listening again overlaps it.
        peak: The peak that it shows lies inside the event.
        onset: It plays from inside the event or from at most a second before it.
        alone: The event's clip by itself fits better than the other clips by themselves; no way of looking for moments
            finds many more.
        questions: How many.
        events: How many clips a scene holds, on average.
    """

    stored: float
    window: float
    peak: float
    onset: float
    alone: float
    questions: int
    events: float

    def shares(self) -> dict[str, float]:
        """The shares by what they say."""
        return {
            "best window of the index overlaps": self.stored,
            "window that is shown overlaps": self.window,
            "peak lies inside": self.peak,
            "plays from it": self.onset,
            "its clip alone would win": self.alone,
        }


def make_scenes(
    clips: Sequence[Clip], *, count: int, rate_hz: int, kind: Kind = "packed", seed: int = 0
) -> list[Scene]:
    """Scenes of clips of different categories over a very soft noise."""
    rng = np.random.default_rng(seed)
    usable = [clip for clip in clips if clip.duration_s >= _SHORTEST_CLIP_S]
    ambiences = [clip for clip in clips if clip.duration_s >= _SHORTEST_AMBIENCE_S and clip.category in _AMBIENCES]
    scenes = []
    for _ in range(count):
        length = round(float(rng.uniform(_SHORTEST_S, _LONGEST_S)) * rate_hz)
        if kind == "packed":
            scene = _packed(usable, length, rate_hz, rng)
        elif kind == "roomy":
            scene = _roomy(usable, length, rate_hz, rng)
        else:
            below = ambiences[int(rng.integers(len(ambiences)))]
            others = [clip for clip in usable if clip.category != below.category]
            scene = _over(below, _roomy(others, length, rate_hz, rng), rate_hz)
        noise = np.float32(10 ** (_FLOOR_DB / 20)) * rng.standard_normal(length).astype(np.float32)
        scenes.append(Scene(scene.samples + noise, scene.clips, scene.spans))
    return scenes


def _packed(clips: Sequence[Clip], length: int, rate_hz: int, rng: np.random.Generator) -> Scene:
    """As many clips as there is room for, in a row drawn by chance."""
    samples = np.zeros(length, dtype=np.float32)
    chosen: list[Clip] = []
    spans: list[Span] = []
    at = 0
    for row in rng.permutation(len(clips)).tolist():
        gap = round(rng.uniform(*_PACKED_GAP_S) * rate_hz)
        sound = read_mono(clips[row].path, sample_rate_hz=rate_hz)
        if at + gap + len(sound) > length:
            break
        if clips[row].category in {clip.category for clip in chosen}:
            continue
        at += gap
        samples[at : at + len(sound)] = sound
        spans.append(Span(at / rate_hz, (at + len(sound)) / rate_hz))
        chosen.append(clips[row])
        at += len(sound)
    return Scene(samples, tuple(chosen), tuple(spans))


def _roomy(clips: Sequence[Clip], length: int, rate_hz: int, rng: np.random.Generator) -> Scene:
    """A few clips with seconds of quiet around each."""
    wanted = int(rng.integers(_FEWEST, _MOST + 1))
    least = round(_LEAST_QUIET_S * rate_hz)
    room = length - least * (wanted + 1)
    chosen: list[Clip] = []
    sounds: list[FloatArray] = []
    for row in rng.permutation(len(clips)).tolist():
        if len(chosen) == wanted:
            break
        if clips[row].category in {clip.category for clip in chosen}:
            continue
        sound = read_mono(clips[row].path, sample_rate_hz=rate_hz)
        if len(sound) <= room:
            chosen.append(clips[row])
            sounds.append(sound)
            room -= len(sound)
    quiet = length - sum(len(sound) for sound in sounds) - least * (len(sounds) + 1)
    samples = np.zeros(length, dtype=np.float32)
    spans: list[Span] = []
    at = 0
    for sound, share in zip(sounds, rng.dirichlet(np.ones(len(sounds) + 1)), strict=False):
        at += least + int(share * quiet)
        samples[at : at + len(sound)] = sound
        spans.append(Span(at / rate_hz, (at + len(sound)) / rate_hz))
        at += len(sound)
    return Scene(samples, tuple(chosen), tuple(spans))


def _over(ambience: Clip, scene: Scene, rate_hz: int) -> Scene:
    """A scene with an ambience under it from beginning to end."""
    below = _looped(read_mono(ambience.path, sample_rate_hz=rate_hz), len(scene.samples), round(_FADE_S * rate_hz))
    softest = min(
        _level(scene.samples[round(span.start_s * rate_hz) : round(span.end_s * rate_hz)]) for span in scene.spans
    )
    scale = np.float32(softest * 10 ** (_AMBIENCE_DB / 20) / _level(below))
    return Scene(scene.samples + scale * below, scene.clips, scene.spans)


def _looped(sound: FloatArray, length: int, fade: int) -> FloatArray:
    """A sound again and again, each time faded into the next."""
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    faded = sound.copy()
    faded[:fade] *= ramp
    faded[-fade:] *= ramp[::-1]
    looped = np.zeros(length + len(sound), dtype=np.float32)
    for at in range(0, length, len(sound) - fade):
        looped[at : at + len(sound)] += faded
    return looped[:length]


def _level(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(samples), dtype=np.float64)))


def moment_figures(encoder: DualEncoder, scenes: Sequence[Scene], relevance: Relevance) -> MomentFigures:
    """Ask each scene for every clip in it by the clip's first caption, as the program does it for a file.

    Args:
        encoder: The model.
        scenes: With two clips or more each; others are left out.
        relevance: Its calibration, by which the program judges windows and stretches.
    """
    rate = encoder.card.sample_rate_hz
    window, hop = round(encoder.card.window_s * rate), round(encoder.card.hop_s * rate)
    asked = [scene for scene in scenes if len(scene.clips) > 1]
    found: list[tuple[bool, bool, bool, bool, bool]] = []
    for scene in asked:
        ranges = plan_windows(len(scene.samples), window, hop)
        windows = [Span(start / rate, end / rate) for start, end in ranges]
        vectors = encoder.embed_audio([scene.samples[start:end] for start, end in ranges])
        alone = encoder.embed_audio([_cut(scene, span, rate) for span in scene.spans])
        questions = encoder.embed_text([clip.captions[0] for clip in scene.clips])
        # What is heard does not depend on the question: all parts together are the scene.
        hear = functools.cache(lambda part, scene=scene: listen(encoder, _cut(scene, part, rate)))
        for number, span in enumerate(scene.spans):
            fit = functools.partial(_fit, relevance, questions[number])
            fits = fit(vectors)
            focus = find_focus(
                windows,
                fits,
                hear=hear,
                fit=fit,
                window_s=encoder.card.window_s,
                duration_s=len(scene.samples) / rate,
            )
            found.append(
                (
                    _overlap(windows[int(fits.argmax())], span),
                    _overlap(focus.span, span),
                    span.start_s <= focus.peak_s <= span.end_s,
                    span.start_s - 1.0 <= focus.start_s <= span.end_s,
                    int(fit(alone).argmax()) == number,
                )
            )
    stored, shown, peak, onset, by_itself = (float(share) for share in np.mean(found, axis=0))
    return MomentFigures(stored, shown, peak, onset, by_itself, len(found), len(found) / len(asked))


def _fit(relevance: Relevance, question: FloatArray, sounds: FloatArray) -> FloatArray:
    """Log-odds (m,) of sounds (m, d) for a question (d,)."""
    return relevance.log_odds(question, sounds @ question, "text")


def _cut(scene: Scene, span: Span, rate_hz: int) -> FloatArray:
    return scene.samples[round(span.start_s * rate_hz) : round(span.end_s * rate_hz)]


def _overlap(one: Span, other: Span) -> bool:
    return one.start_s < other.end_s and other.start_s < one.end_s
