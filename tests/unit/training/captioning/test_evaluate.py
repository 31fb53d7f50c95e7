from __future__ import annotations

import numpy as np

from training.captioning.evaluate import fluency, says_so


def test_that_what_must_not_be_is_counted() -> None:
    found = fluency(["A dog barks at a dog", "The sound of", "Rain falls on the roof", "Rain falls on the roof"])
    assert (found.repeating, found.unfinished, found.sentences) == (1, 1, 3)
    assert found.words == len({"a", "dog", "barks", "at", "the", "sound", "of", "rain", "falls", "on", "roof"})


def test_that_stopwords_may_come_twice() -> None:
    assert fluency(["The rain falls on the roof of the house"]).repeating == 0


def test_that_likeness_decides_whether_a_caption_says_so() -> None:
    assert says_so(np.asarray([0.59, 0.61], dtype=np.float32)).tolist() == [False, True]
