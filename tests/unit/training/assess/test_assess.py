"""The measures of what a user meets, on cases small enough to be checked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.encoders.card import Calibration, LogisticFit
from core.encoders.relevance import Relevance
from core.types import FloatArray, Span
from training.assess.example import CHANGES, as_mp3
from training.assess.focus import GLANCE_S, focus
from training.assess.moment import Scene, moment_figures
from training.assess.negative import NegativeCase, moved_away, negative_cases
from training.assess.question import Question, precision_by_kind, read_questions
from training.data.manifest import Clip
from training.evaluate import caption_queries

RATE = 1000


def _clip(number: int, *, category: str, caption: str) -> Clip:
    return Clip(
        id=str(number),
        path=Path(f"{number}.wav"),
        duration_s=2.0,
        captions=(caption,),
        title=caption,
        split="test",
        source="s",
        group=str(number),
        category=category,
        licence="CC0",
        licence_family="CC0",
    )


class _Card:
    sample_rate_hz = RATE
    window_s = 10.0
    hop_s = 5.0


class _PitchEncoder:
    """A stand-in whose vectors tell how much of a sound is positive and how much negative."""

    card = _Card()

    def embed_audio(self, clips: list[FloatArray]) -> FloatArray:
        sums = np.asarray([[np.maximum(clip, 0).sum(), np.maximum(-clip, 0).sum()] for clip in clips]) + 1e-6
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)

    def embed_text(self, texts: list[str]) -> FloatArray:
        return np.asarray([[1.0, 0.0] if text == "up" else [0.0, 1.0] for text in texts], dtype=np.float32)


def test_that_there_are_three_hundred_different_questions_of_five_kinds() -> None:
    questions = read_questions()
    assert len({question.text for question in questions}) == 300
    assert {question.kind for question in questions} == {"word", "file-name", "sentence", "synonym", "spelling"}
    assert all(question.categories for question in questions)


def test_that_precision_counts_expected_kinds_among_the_first_five() -> None:
    clips = [_clip(number, category="dog" if number < 3 else "cat", caption=str(number)) for number in range(8)]
    scores = np.asarray([np.arange(8, 0, -1), np.arange(8)], dtype=np.float32)
    questions = [Question("word", "bark", frozenset({"dog"})), Question("long", "a cat", frozenset({"cat", "lion"}))]
    assert precision_by_kind(scores, questions, clips) == {"word": pytest.approx(0.6), "long": pytest.approx(1.0)}


def test_that_a_negative_case_pairs_a_question_with_what_stands_among_its_answers() -> None:
    clips = [_clip(0, category="dog", caption="bark"), _clip(1, category="wolf", caption="growl")]
    queries = caption_queries(clips)
    cases = negative_cases(np.asarray([[0.9, 0.8], [0.1, 0.9]], dtype=np.float32), queries, clips, count=1)
    assert len(cases) == 1
    assert cases[0].wanted != cases[0].unwanted


def test_that_a_case_counts_only_when_nothing_unwanted_is_left_in_the_first_ten() -> None:
    rng = np.random.default_rng(0)
    barks = np.stack([[1.0, 0.1 * rng.random(), 0.0] for _ in range(12)])
    growl = np.asarray([[0.8, 0.0, 0.6]])
    sounds = np.concatenate([barks, growl]).astype(np.float32)
    sounds /= np.linalg.norm(sounds, axis=1, keepdims=True)
    clips = [_clip(number, category="dog", caption="bark") for number in range(12)]
    clips.append(_clip(12, category="wolf", caption="growl"))
    queries = caption_queries(clips)
    vectors = np.asarray([[0.8, 0.0, 0.6], [0.0, 0.0, 1.0]], dtype=np.float32)
    fit = LogisticFit(score=20.0, surprise=0.0, bias=-10.0)
    relevance = Relevance(Calibration(text=fit, clip=fit), sounds[:4])
    case = NegativeCase(queries.texts.index("bark"), queries.texts.index("growl"))
    assert float((vectors[case.wanted] @ sounds.T).argmax()) == 12, "without the negative the growl comes first"
    assert moved_away([case], vectors, sounds, queries, clips, relevance) == 1.0
    nowhere = np.asarray([vectors[0], [0.0, 1.0, 0.0]], dtype=np.float32)
    assert moved_away([case], nowhere, sounds, queries, clips, relevance) == 0.0


def test_that_the_focus_lies_where_the_sound_is() -> None:
    samples = np.full(10 * RATE, -0.01, dtype=np.float32)
    samples[6 * RATE : 8 * RATE] = 0.5
    found = focus(_PitchEncoder(), samples, np.asarray([1.0, 0.0], dtype=np.float32))  # type: ignore[arg-type]
    assert found.end_s - found.start_s == pytest.approx(GLANCE_S)
    assert 6.0 <= (found.start_s + found.end_s) / 2 <= 8.0


def test_that_moments_are_judged_by_where_the_clip_was_put() -> None:
    samples = np.tile(np.asarray([0.05, -0.05], dtype=np.float32), 20 * RATE)
    samples[3 * RATE : 5 * RATE] = 0.5
    samples[30 * RATE : 32 * RATE] = -0.5
    up, down = _clip(0, category="a", caption="up"), _clip(1, category="b", caption="down")
    right = Scene(samples, (up, down), (Span(3, 5), Span(30, 32)))
    figures = moment_figures(_PitchEncoder(), [right])  # type: ignore[arg-type]
    assert (figures.window, figures.peak, figures.questions) == (1.0, 1.0, 2)
    wrong = Scene(samples, (up, down), (Span(20, 22), Span(12, 14)))
    figures = moment_figures(_PitchEncoder(), [wrong])  # type: ignore[arg-type]
    assert (figures.window, figures.peak) == (0.0, 0.0)


@pytest.mark.parametrize("name", CHANGES)
def test_that_a_changed_example_is_still_the_same_sound(name: str) -> None:
    rate = 32000
    time = np.arange(2 * rate) / rate
    sound = (0.3 * np.sin(2 * np.pi * 440 * time) * (time % 0.5 < 0.25)).astype(np.float32)
    changed = CHANGES[name](sound, rate)
    assert np.isfinite(changed).all()
    assert abs(len(changed) - len(sound)) <= (rate if name == "1 s later" else 4000)
    assert not np.array_equal(changed[: len(sound)], sound[: len(changed)])
    spectrum = np.abs(np.fft.rfft(changed, n=4 * rate))
    assert abs(spectrum.argmax() / 4 - 440) < 3


def test_that_the_mp3_has_about_96_kilobits_a_second() -> None:
    noise = np.random.default_rng(0).standard_normal(320000).astype(np.float32) * 0.1
    assert 90_000 < len(as_mp3(noise, 32000)) * 8 / 10 < 102_000
