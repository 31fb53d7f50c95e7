"""Whether claims about absent sounds are counted right."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from made_up_clip import made_up_clip

from core.encoders.card import Calibration, LogisticFit
from core.encoders.relevance import Relevance
from core.types import FloatArray
from training.assess.absent import AbsentSound, claim_figures, read_absent, truly_absent
from training.calibrate import kept_matches, log_odds_of
from training.data.manifest import read_manifest

# A score of .7 or more claims a match.
FIT = LogisticFit(score=100.0, surprise=0.0, bias=-70.0)
SOUNDS = np.eye(6, dtype=np.float32)
RELEVANCE = Relevance(Calibration(text=FIT, clip=FIT), SOUNDS)


def _odds(queries: FloatArray) -> FloatArray:
    return log_odds_of(RELEVANCE, queries, SOUNDS)


def test_that_a_sound_of_which_words_tell_is_not_absent() -> None:
    sounds = [AbsentSound("drill", re.compile("drill")), AbsentSound("siren", re.compile("siren|police"))]
    assert [
        sound.text
        for sound in truly_absent(sounds, [made_up_clip("0", title="Police car"), made_up_clip("1", title="saw")])
    ] == ["drill"]


def test_that_claims_are_counted_by_answer_and_by_question() -> None:
    bold = np.asarray([0.71, 0.70421, 0, 0, 0, 0], dtype=np.float32)
    shy = np.full(6, 6**-0.5, dtype=np.float32)
    figures = claim_figures(_odds(np.stack([bold, shy])))
    assert (figures.questions, figures.answered) == (2, 0.5)
    assert figures.answers == pytest.approx(2 / 10)


def test_that_clips_that_are_left_out_make_no_claim() -> None:
    query = np.asarray([[1.0, 0, 0, 0, 0, 0]], dtype=np.float32)
    left_out = np.asarray([[True, False, False, False, False, False]])
    assert claim_figures(_odds(query)).answered == 1.0
    assert claim_figures(_odds(query), left_out=left_out).answered == 0.0


def test_that_only_matches_among_the_first_five_count_as_kept() -> None:
    queries = np.asarray([[0.8, 0.5, 0.3, 0.1, 0.09, 0.0]], dtype=np.float32)
    fits = np.asarray([[True, True, False, False, False, True]])
    assert kept_matches(_odds(queries), fits) == 0.5


def test_that_a_hundred_and_fifty_different_absent_sounds_can_be_read() -> None:
    assert len({sound.text for sound in read_absent()}) == len(read_absent()) >= 150


@pytest.mark.corpus
def test_that_the_test_split_holds_none_of_them_by_its_words(corpus_folder: Path) -> None:
    clips = [clip for clip in read_manifest(corpus_folder) if clip.split == "test"]
    there = set(read_absent()) - set(truly_absent(read_absent(), clips))
    assert not {sound.text for sound in there}
