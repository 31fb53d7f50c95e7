"""The measures of what a user meets, on cases small enough to be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_clip import made_up_clip

from training.assess.example import CHANGES, as_mp3
from training.assess.question import Question, precision_by_kind, read_questions


def test_that_there_are_three_hundred_different_questions_of_five_kinds() -> None:
    questions = read_questions()
    assert len({question.text for question in questions}) == 300
    assert {question.kind for question in questions} == {"word", "file-name", "sentence", "synonym", "spelling"}
    assert all(question.categories for question in questions)


def test_that_precision_counts_expected_kinds_among_the_first_five() -> None:
    clips = [
        made_up_clip(str(number), category="dog" if number < 3 else "cat", caption=str(number)) for number in range(8)
    ]
    scores = np.asarray([np.arange(8, 0, -1), np.arange(8)], dtype=np.float32)
    questions = [Question("word", "bark", frozenset({"dog"})), Question("long", "a cat", frozenset({"cat", "lion"}))]
    assert precision_by_kind(scores, questions, clips) == {"word": pytest.approx(0.6), "long": pytest.approx(1.0)}


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
