from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.batch import (
    EveryCaptionSampler,
    OneCaptionSampler,
    OngoingSampler,
    PairBatch,
    PairSampler,
    Shard,
)

CAPTIONS = [[0, 1, 2], [3], [4, 5], [6, 7, 8, 9], [10, 11], [12], [13, 14]]


def pairs(batches: list[PairBatch]) -> list[tuple[int, int]]:
    return [(int(clip), int(text)) for batch in batches for clip, text in zip(batch.clips, batch.captions, strict=True)]


def test_that_one_caption_of_every_clip_is_drawn() -> None:
    sampler = OneCaptionSampler(CAPTIONS, batch=3, seed=1, keep_rest=True)
    found = pairs(list(sampler.batches(0)))
    assert sorted(clip for clip, _ in found) == list(range(len(CAPTIONS)))
    assert all(text in CAPTIONS[clip] for clip, text in found)


def test_that_every_caption_comes_at_last_when_one_is_drawn() -> None:
    sampler = OneCaptionSampler(CAPTIONS, batch=3, seed=1, keep_rest=True)
    seen = {text for epoch in range(40) for _, text in pairs(list(sampler.batches(epoch)))}
    assert seen == set(range(15))


def test_that_every_caption_is_a_pair_of_its_own_once_an_epoch() -> None:
    sampler = EveryCaptionSampler(CAPTIONS, batch=4, seed=1, keep_rest=True)
    assert sorted(pairs(list(sampler.batches(3)))) == [(row, text) for row, own in enumerate(CAPTIONS) for text in own]


@pytest.mark.parametrize("kind", [OneCaptionSampler, EveryCaptionSampler])
def test_that_an_epoch_depends_on_seed_and_number_alone(kind: type) -> None:
    def drawn(seed: int, epoch: int, *, after: int = 0) -> list[tuple[int, int]]:
        sampler: PairSampler = kind(CAPTIONS, batch=3, seed=seed)
        for earlier in range(after):
            list(sampler.batches(earlier))
        return pairs(list(sampler.batches(epoch)))

    assert drawn(7, 5) == drawn(7, 5, after=5)
    assert drawn(7, 5) != drawn(7, 6)
    assert drawn(7, 5) != drawn(8, 5)


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("apart", [False, True])
def test_that_shards_together_are_the_batches_of_one_process(processes: int, apart: bool) -> None:
    whole = list(EveryCaptionSampler(CAPTIONS, batch=4, seed=2, apart=apart).batches(1))
    shards = [
        list(EveryCaptionSampler(CAPTIONS, batch=4, seed=2, apart=apart, shard=Shard(rank, processes)).batches(1))
        for rank in range(processes)
    ]
    for number, batch in enumerate(whole):
        assert pairs([batch]) == pairs([shard[number] for shard in shards])
        assert all(len(shard[number]) for shard in shards)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 6), min_size=6, max_size=30),
    batch=st.integers(2, 6),
    seed=st.integers(0, 9),
    keep_rest=st.booleans(),
)
def test_that_no_two_captions_of_a_sound_meet_in_a_batch(
    counts: list[int], batch: int, seed: int, keep_rest: bool
) -> None:
    ends = np.cumsum(counts)
    captions = [list(range(end - count, end)) for count, end in zip(counts, ends, strict=True)]
    sampler = EveryCaptionSampler(captions, batch=batch, seed=seed, apart=True, keep_rest=keep_rest)
    for epoch in range(3):
        batches = list(sampler.batches(epoch))
        assert len(batches) == len(sampler)
        assert all(len(set(one.clips.tolist())) == len(one) for one in batches)
        assert all(len(one) <= batch and (keep_rest or len(one) == batch) for one in batches)
        assert max(Counter(pairs(batches)).values()) == 1
        if keep_rest and max(counts) <= len(sampler):
            assert len(pairs(batches)) == sum(counts)


def test_that_takes_of_one_sound_never_meet() -> None:
    owners = [0, 0, 1, 2, 3, 3, 4]
    sampler = OneCaptionSampler(CAPTIONS, batch=3, seed=0, owners=owners)
    for epoch in range(20):
        for batch in sampler.batches(epoch):
            assert len({owners[clip] for clip in batch.clips}) == len(batch) == 3


def test_that_a_sound_with_very_many_captions_gives_other_ones_each_epoch() -> None:
    captions = [list(range(20)), *([number] for number in range(20, 30))]
    sampler = EveryCaptionSampler(captions, batch=4, seed=0, apart=True)
    seen = {text for epoch in range(60) for _, text in pairs(list(sampler.batches(epoch)))}
    assert seen == set(range(30))


@pytest.mark.parametrize(
    ("captions", "batch", "shard", "reason"),
    [
        ([[0], []], 1, Shard(), "without a caption"),
        ([[0], [1]], 3, Shard(), "do not fill"),
        ([[0], [1], [2]], 2, Shard(0, 3), "cannot be shared"),
    ],
)
def test_that_what_cannot_be_batched_is_refused(
    captions: list[list[int]], batch: int, shard: Shard, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        OneCaptionSampler(captions, batch=batch, seed=0, shard=shard)


def test_that_an_ongoing_sampler_draws_on_from_where_its_generator_is() -> None:
    def drawn(rng: np.random.Generator, epochs: int) -> list[tuple[int, int]]:
        sampler = OngoingSampler(CAPTIONS, batch=3, rng=rng)
        return pairs([batch for _ in range(epochs) for batch in sampler.batches()])

    whole = drawn(np.random.default_rng(4), 3)
    assert len(whole) == 3 * 2 * 3
    assert all(text in CAPTIONS[clip] for clip, text in whole)
    assert all(len({clip for clip, _ in whole[begin : begin + 6]}) == 6 for begin in (0, 6, 12))
    rng = np.random.default_rng(4)
    assert drawn(rng, 1) + drawn(rng, 2) == whole
    # The shipped search model follows from these very draws.
    assert whole[:6] == [(1, 3), (2, 4), (0, 1), (5, 12), (4, 11), (3, 7)]
    with pytest.raises(ValueError, match="do not fill"):
        OngoingSampler(CAPTIONS, batch=8, rng=rng)
