from __future__ import annotations

import numpy as np
import pytest

from training.captioning.relation import (
    FRONT,
    SEQUENCE,
    SUPERPOSITION,
    join,
    related,
    replacements,
    take_apart,
    untruth,
)


@pytest.mark.parametrize("words", [*SEQUENCE, *SUPERPOSITION])
def test_that_what_is_joined_comes_apart_again(words: str) -> None:
    found = take_apart(join("a dog barks", "rain falls", words))
    assert found == related("a dog barks", "rain falls", words)


def test_that_after_tells_the_second_sound_first() -> None:
    assert join("a dog barks", "rain falls", "after") == "rain falls after a dog barks"
    assert join("a dog barks", "rain falls", "before") == "a dog barks before rain falls"


def test_that_the_longest_words_are_found() -> None:
    found = take_apart("a dog barks and then rain falls")
    assert found is not None
    assert (found.left, found.words, found.right) == ("a dog barks", "and then", "rain falls")


@pytest.mark.parametrize("caption", ["a dog barks", "then rain falls", "aspen leaves rustle", "a dog barks while"])
def test_that_captions_without_two_propositions_stay_whole(caption: str) -> None:
    assert take_apart(caption) is None


def test_that_replacements_are_those_of_table_4() -> None:
    before, then, while_ = (related("x", "y", words) for words in ("before", "then", "while"))
    assert [one.text() for one in replacements(before, "BAT")] == ["x after y"]
    assert replacements(then, "BAT") == ()
    assert [one.text() for one in replacements(then, "seq2sup")] == ["x as y", "x while y"]
    assert {one.words for one in replacements(while_, "sup2seq")} == set(SEQUENCE)
    assert replacements(while_, "seq2sup") == ()


@pytest.mark.parametrize("words", [*SEQUENCE, *SUPERPOSITION])
def test_that_an_untruth_is_never_the_truth(words: str) -> None:
    truth, rng = related("x", "y", words), np.random.default_rng(0)
    # "y after x" is "x before y": the words differ, and so does what they say.
    said = {untruth(truth, rng).text() for _ in range(50)}
    assert truth.text() not in said
    assert len(said) > 1


@pytest.mark.parametrize("words", FRONT)
def test_that_what_stands_in_front_comes_apart_again(words: str) -> None:
    told = related("a dog barks", "rain falls", words)
    assert take_apart(told.text(), front=True) == told
    assert (told.first, told.second, told.relation) == ("a dog barks", "rain falls", "superposition")
    assert take_apart(told.inverted().text(), front=True) == told.inverted()
    assert untruth(told, np.random.default_rng(0)) == told.inverted()


def test_that_the_background_is_named_last() -> None:
    assert join("a dog barks", "rain falls", "while ... in the background") == (
        "a dog barks while rain falls in the background"
    )
    assert join("a dog barks", "rain falls", "faintly behind") == "rain falls faintly behind a dog barks"


def test_that_only_who_asks_for_it_hears_of_the_front() -> None:
    told = take_apart("a dog barks while rain falls in the background")
    assert told == related("a dog barks", "rain falls in the background", "while")
    assert take_apart("a dog barks in front of a house") is None
