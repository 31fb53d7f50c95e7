"""Whether moments of long sounds are found, on scenes small enough to be foretold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from made_up_clip import made_up_clip

from core.encoders.card import Calibration, LogisticFit
from core.encoders.relevance import Relevance
from core.types import FloatArray, Span
from training.assess.moment import KINDS, Scene, make_scenes, moment_figures

RATE = 1000


class _Card:
    sample_rate_hz = RATE
    window_s = 10.0
    hop_s = 5.0


class _PitchEncoder:
    """A stand-in whose vectors tell how much of a sound is positive and how much negative."""

    card = _Card()

    def features(self, samples: FloatArray) -> FloatArray:
        return np.resize(samples, (-(-len(samples) // 10), 10)).astype(np.float32)

    def embed_features(self, windows: list[FloatArray]) -> FloatArray:
        sums = np.asarray([[np.maximum(clip, 0).sum(), np.maximum(-clip, 0).sum()] for clip in windows]) + 1e-6
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)

    def embed_audio(self, clips: list[FloatArray]) -> FloatArray:
        return self.embed_features(clips)

    def embed_text(self, texts: list[str]) -> FloatArray:
        return np.asarray([[1.0, 0.0] if text == "up" else [0.0, 1.0] for text in texts], dtype=np.float32)


def by_score() -> Relevance:
    fit = LogisticFit(score=1.0, surprise=0.0, bias=0.0)
    return Relevance(Calibration(text=fit, clip=fit), np.eye(2, dtype=np.float32))


def test_that_moments_are_judged_by_where_the_clip_was_put() -> None:
    samples = np.tile(np.asarray([0.05, -0.05], dtype=np.float32), 20 * RATE)
    samples[3 * RATE : 5 * RATE] = 0.5
    samples[30 * RATE : 32 * RATE] = -0.5
    up, down = made_up_clip("0", category="a", caption="up"), made_up_clip("1", category="b", caption="down")
    right = Scene(samples, (up, down), (Span(3, 5), Span(30, 32)))
    figures = moment_figures(_PitchEncoder(), [right], by_score())
    assert (figures.stored, figures.window, figures.peak, figures.onset) == (1.0, 1.0, 1.0, 1.0)
    assert (figures.alone, figures.questions, figures.events) == (1.0, 2, 2.0)
    wrong = Scene(samples, (up, down), (Span(20, 22), Span(12, 14)))
    figures = moment_figures(_PitchEncoder(), [wrong], by_score())
    assert (figures.window, figures.peak, figures.onset) == (0.0, 0.0, 0.0)


def test_that_roomy_scenes_hold_few_events_with_quiet_between_and_an_ambience_where_there_is_one(
    tmp_path: Path,
) -> None:
    rate = 8000
    clips = []
    for number in range(30):
        is_ambience = number % 10 == 0
        length = (9 if is_ambience else 1 + number % 3) * rate
        clip = made_up_clip(str(number), category="weather" if is_ambience else f"kind {number}", caption=str(number))
        clip = replace(clip, path=tmp_path / f"{number}.wav", duration_s=length / rate)
        soundfile.write(clip.path, np.full(length, 0.1 + 0.01 * number, dtype=np.float32), rate, subtype="FLOAT")
        clips.append(clip)
    for kind in KINDS:
        scenes = make_scenes(clips, count=4, rate_hz=rate, kind=kind)
        for scene in scenes:
            assert 30 * rate <= len(scene.samples) <= 60 * rate
            gaps = [after.start_s - before.end_s for before, after in zip(scene.spans, scene.spans[1:], strict=False)]
            assert min(gaps) >= (0.5 if kind == "packed" else 3.0) - 0.01
            assert len({clip.category for clip in scene.clips}) == len(scene.clips)
            if kind != "packed":
                assert 3 <= len(scene.clips) <= 5
            before_s = scene.spans[0].start_s
            quiet = np.sqrt(np.mean(np.square(scene.samples[: round(before_s * rate)])))
            assert (quiet > 0.005) == (kind == "over an ambience")
