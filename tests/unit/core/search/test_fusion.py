import numpy as np
import pytest

from core.search.fusion import combine_parts, contest, fuse, lexical_relevance, sigmoid


def test_that_parts_are_weighed_in_log_odds():
    combined = combine_parts(np.array([[2.0, -1.0], [-2.0, 5.0]], np.float32), np.array([3.0, 1.0], np.float32))
    assert combined == pytest.approx([1.0, 0.5])


def test_that_a_negative_sinks_what_resembles_it_more_than_the_query():
    kept = contest(np.array([2.0, 2.0, 2.0], np.float32), np.array([[-4.0, 0.0, 5.0]], np.float32))
    assert kept[0] > 0.999
    assert kept[1] > 0.85
    assert kept[2] < 0.01


def test_that_a_negative_sinks_what_certainly_is_its_sound_however_well_it_fits_the_query():
    kept = contest(np.array([6.0, 6.0], np.float32), np.array([[3.0, -3.0]], np.float32))
    assert kept[0] < 0.1
    assert kept[1] > 0.95


def test_that_what_must_be_further_ahead_goes_sooner():
    positive, negatives = np.array([2.0], np.float32), np.array([[0.0]], np.float32)
    assert contest(positive, negatives, lead=0.5)[0] > 0.85
    assert contest(positive, negatives, lead=3.0)[0] < 0.05


def test_that_no_negatives_leave_everything():
    assert contest(np.array([-3.0, 0.0, 3.0], np.float32), np.zeros((0, 3), np.float32)) == pytest.approx([1, 1, 1])


def test_that_all_wanted_words_in_the_name_are_full_evidence_and_half_of_them_a_quarter():
    wanted = ("metal", "gate")
    assert lexical_relevance({"name": frozenset(wanted)}, wanted) == 1.0
    assert lexical_relevance({"name": frozenset({"gate"})}, wanted) == pytest.approx(0.25)


def test_that_a_word_counts_once_at_its_best_field():
    found = {"captions": frozenset({"gate"}), "name": frozenset({"gate"})}
    assert lexical_relevance(found, ("gate",)) == 1.0
    assert lexical_relevance({"captions": frozenset({"gate"})}, ("gate",)) < 0.5


def test_that_two_witnesses_are_worth_more_than_one_and_none_is_worth_nothing():
    assert fuse(0.0, 0.0) == 0.0
    assert fuse(0.6, 0.5) > max(fuse(0.6, 0.0), fuse(0.0, 0.5))
    assert fuse(1.0, 0.0) == pytest.approx(1.0)


def test_that_extreme_log_odds_neither_overflow_nor_leave_the_unit_interval():
    values = sigmoid(np.array([-1e9, 0.0, 1e9], np.float32))
    assert values[0] >= 0
    assert values[1] == pytest.approx(0.5)
    assert values[2] <= 1
