from __future__ import annotations

import pytest

from core.captioning.consensus import by_consensus
from core.captioning.generation import GeneratedCaption
from core.captioning.memory import Vote
from core.captioning.vocabulary import EOS

CONTENT = [False] * 4 + [True] * 12
"""Tokens 4 to 15 are content words."""


def caption(*words: int, mean: float = -1.0, ends: bool = True) -> GeneratedCaption:
    return GeneratedCaption((*words, EOS) if ends else words, mean)


def order(captions: list[GeneratedCaption], sharpness: float = 1.0) -> list[int]:
    found = by_consensus(captions, sharpness=sharpness, content_words=CONTENT, ends=(EOS,))
    assert sorted(map(id, found)) == sorted(map(id, captions))
    return [captions.index(one) for one in found]


def test_that_the_caption_that_others_agree_with_comes_first() -> None:
    odd_one_out = caption(10, 11, 12, 13, mean=-0.9)
    alike = [caption(4, 5, 6, 7), caption(4, 5, 6, 8), caption(4, 5, 6, 7, 9)]
    assert order([odd_one_out, *alike])[0] == 1
    assert order([odd_one_out, *alike])[-1] == 0


def test_that_a_much_likelier_caption_stays_first() -> None:
    captions = [caption(10, 11, 12, 13, mean=-0.2), caption(4, 5, 6, 7), caption(4, 5, 6, 8)]
    assert order(captions, sharpness=20.0)[0] == 0


def test_that_known_sounds_have_their_share_of_the_votes() -> None:
    captions = [caption(4, 5, 6, 7, mean=-0.5), caption(10, 11, 12, 13, mean=-2.0)]
    votes = [Vote((10, 11, 12, 14, EOS), 0.5), Vote((10, 11, 12, 13, EOS), 0.5)]

    def first(share: float) -> GeneratedCaption:
        found = by_consensus(
            captions, sharpness=4.0, content_words=CONTENT, ends=(EOS,), votes=votes, votes_share=share
        )
        return found[0]

    assert first(0.0) == captions[0]
    assert first(0.9) == captions[1]


def test_that_a_caption_that_was_broken_off_comes_last() -> None:
    captions = [caption(4, 5, 6, 7, ends=False), caption(4, 5, 6, 8), caption(10, 11, 12)]
    assert order(captions)[-1] == 0


def test_that_little_words_hardly_count() -> None:
    # The first two share a little word, the last two a content word.
    captions = [caption(2, 4), caption(2, 8), caption(5, 6), caption(5, 7)]
    assert order(captions, sharpness=0.1)[0] in (2, 3)


@pytest.mark.parametrize("captions", [[], [caption(4)]])
def test_that_one_caption_needs_no_other(captions: list[GeneratedCaption]) -> None:
    assert by_consensus(captions, sharpness=1.0, content_words=CONTENT, ends=(EOS,)) == captions


def test_that_captions_without_words_are_no_trouble() -> None:
    assert order([caption(mean=-0.1), caption(4, 5, mean=-2.0)])[0] in (0, 1)
