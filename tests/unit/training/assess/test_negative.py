"""Whether negatives are judged fairly, on cases small enough to be checked by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from made_up_clip import made_up_clip

from core.encoders.card import Calibration, LogisticFit
from core.encoders.relevance import Relevance
from core.types import FloatArray
from training.assess.negative import NegativeCase, NegativeFigures, described, negative_figures, read_negatives
from training.data.manifest import read_manifest

FIT = LogisticFit(score=20.0, surprise=0.0, bias=-10.0)
CASE = NegativeCase("bark", re.compile(r"\bdog\b"), "growl", re.compile("growl"))


def _unit(rows: Sequence[Sequence[float]]) -> FloatArray:
    vectors = np.asarray(rows, dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


CLIPS = [
    *(made_up_clip(str(number), title="dog") for number in range(12)),
    made_up_clip("12", title="dog", caption="An angry Growl"),
]
SOUNDS = _unit([*([1.0, 0.01 * number, 0.0] for number in range(12)), [0.8, 0.0, 0.6]])
RELEVANCE = Relevance(Calibration(text=FIT, clip=FIT), SOUNDS[:4])


def _embedded(growl: Sequence[float]) -> FloatArray:
    """Of "bark", which the growling dog fits best, and of "growl"."""
    return _unit([[0.8, 0.0, 0.6], growl])


def _figures(growl: Sequence[float], *, least_relevance: float = 0.0) -> NegativeFigures:
    return negative_figures(
        [CASE], lambda texts: _embedded(growl), SOUNDS, CLIPS, RELEVANCE, least_relevance=least_relevance
    )


def test_that_a_clip_is_described_by_all_its_words_in_small_letters() -> None:
    assert described(CLIPS[12]) == "<animals> dog | an angry growl"


def test_that_a_negative_works_when_nothing_unwanted_is_left_and_what_is_meant_stays() -> None:
    figures = _figures([0.0, 0.0, 1.0])
    assert (figures.cases, figures.moved, figures.kept) == (1, 1.0, 1.0)
    # The place that the growling dog leaves goes to one more that barks.
    assert (figures.found_plain, figures.found) == (0.9, 1.0)


def test_that_a_negative_that_means_something_else_has_not_worked() -> None:
    figures = _figures([0.0, 1.0, 0.0])
    assert (figures.cases, figures.moved) == (1, 0.0)


def test_that_what_is_meant_is_missed_when_a_negative_takes_it_away() -> None:
    # Everything resembles this negative: all order is lost, and nothing is claimed any more.
    figures = _figures([1.0, 0.0, 0.6], least_relevance=0.5)
    assert figures.moved == 1.0
    assert figures.kept == figures.found == 0.0


def test_that_a_question_without_anything_unwanted_among_its_answers_is_no_case() -> None:
    other = NegativeCase("bark", re.compile("dog"), "cat", re.compile("cat"))
    figures = negative_figures([other], lambda texts: _embedded([0, 0, 1]), SOUNDS, CLIPS, RELEVANCE)
    assert figures.cases == 0


def test_that_at_least_fifty_different_cases_can_be_read_and_none_wants_what_it_bans() -> None:
    cases = read_negatives()
    assert len({(case.asked, case.without) for case in cases}) == len(cases) >= 50
    assert all(case.asked != case.without for case in cases)


@pytest.mark.corpus
def test_that_every_case_has_something_that_must_go(corpus_folder: Path) -> None:
    lines = [described(clip) for clip in read_manifest(corpus_folder) if clip.split == "test"]
    for case in read_negatives():
        assert any(case.unwanted.search(line) for line in lines), case.without
        assert any(case.meant.search(line) for line in lines), case.asked
