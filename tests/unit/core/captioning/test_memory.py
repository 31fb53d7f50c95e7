"""What a captioner remembers of sounds that it knows."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from core.captioning.memory import CaptionMemory, Vote
from core.captioning.vocabulary import EOS

CAPTIONS = [(4, 5, EOS), (6, EOS), (4, 5, EOS), (7, 8, 9, EOS)]


def filled() -> tuple[CaptionMemory, torch.Tensor]:
    placed = normalize(torch.randn(4, 32, generator=torch.Generator().manual_seed(0)), dim=1)
    memory = CaptionMemory(sounds=4, dimension=32, longest=6)
    memory.learn(placed, CAPTIONS)
    return memory, placed


def test_that_a_known_sound_is_told_in_its_own_words() -> None:
    memory, placed = filled()
    found = memory.recall(placed, nearest=1, sharpness=20.0)
    assert found == [[Vote(caption, 1.0)] for caption in CAPTIONS]


def test_that_a_caption_of_several_sounds_has_all_their_votes() -> None:
    memory, placed = filled()
    [votes] = memory.recall(placed[1:2], nearest=4, sharpness=0.0)
    assert {vote.tokens: vote.share for vote in votes} == pytest.approx(
        {CAPTIONS[0]: 0.5, CAPTIONS[1]: 0.25, CAPTIONS[3]: 0.25}
    )
    assert votes[0].tokens == CAPTIONS[0]


def test_that_the_nearest_counts_the_more_the_sharper_votes_are() -> None:
    memory, placed = filled()
    shares = [
        {vote.tokens: vote.share for vote in memory.recall(placed[3:], nearest=4, sharpness=sharpness)[0]}[CAPTIONS[3]]
        for sharpness in (1.0, 5.0, 20.0)
    ]
    assert shares[0] < shares[1] < shares[2]


def test_that_more_sounds_than_are_known_are_not_asked_for() -> None:
    memory, placed = filled()
    assert len(memory.recall(placed[:1], nearest=50, sharpness=1.0)[0]) == 3


def test_that_it_is_kept_and_opened_again() -> None:
    memory, placed = filled()
    again = CaptionMemory(**memory.sizes)
    again.load_state_dict({name: value.float() for name, value in memory.state_dict().items()})
    assert again.recall(placed, nearest=3, sharpness=20.0) == memory.recall(placed, nearest=3, sharpness=20.0)
    assert again.embeddings.dtype == torch.int8


def test_that_rounding_to_steps_hardly_moves_a_sound() -> None:
    memory, placed = filled()
    rounded = memory.embeddings * memory.scale
    assert torch.nn.functional.cosine_similarity(rounded, placed).min() > 0.9999


def test_that_a_memory_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="remembers nothing"):
        CaptionMemory(sounds=0, dimension=32, longest=6)
