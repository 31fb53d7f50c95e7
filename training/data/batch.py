"""Which pairs of clip and caption form the batches of an epoch.

A `PairSampler` gives the same batches for the same (seed, epoch), whatever was drawn before: a run that goes on after a
stop sees what it would have seen. With a `Shard` each process gets its own rows of every batch; all shards together
are the batches of one process. `OngoingSampler` is none: it draws from a generator that its task keeps and saves.

Shape legend: n clips, b batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.types import IntArray


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several processes that share every batch.

    Attributes:
        rank: Number of this process, from 0.
        count: How many there are.
    """

    rank: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.count:
            raise ValueError(f"rank {self.rank} is none of {self.count} processes")

    def rows(self, total: int) -> slice:
        """This process's rows of a batch of `total`: shares differ by one row at most."""
        return slice(total * self.rank // self.count, total * (self.rank + 1) // self.count)


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Pairs by number.

    Attributes:
        clips: (b,) rows of clips.
        captions: (b,) for each its caption's number, as the sampler was given it.
    """

    clips: IntArray
    captions: IntArray

    def __len__(self) -> int:
        return len(self.clips)


class PairSampler(Protocol):
    """Batches of an epoch."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def batches(self, epoch: int) -> Iterator[PairBatch]:
        """This process's rows of each batch."""
        ...


class OneCaptionSampler:
    """Every clip once an epoch, in a new order, with one of its captions drawn (Labbe et al. 2023, section 3.3).

    Args:
        captions: For each of n clips the numbers of its captions; none may be empty.
        batch: Clips in a batch, of all processes together.
        seed: Of the run.
        shard: Which process this is.
        keep_rest: Whether clips that do not fill a batch are used all the same, by batches that are a little smaller;
            else they wait for another epoch.
        owners: (n,) clips with the same number are never in one batch: takes of one sound, say. None: no such rule.

    Raises:
        ValueError: A clip has no caption, or the clips do not fill a batch.
    """

    def __init__(
        self,
        captions: Sequence[Sequence[int]],
        *,
        batch: int,
        seed: int,
        shard: Shard | None = None,
        keep_rest: bool = False,
        owners: Sequence[int] | None = None,
    ) -> None:
        self._captions = _checked(captions)
        self._seed = seed
        self._shard = shard or Shard()
        self._deal = _Deal(_numbers(owners, len(captions)), len(captions), batch, keep_rest, self._shard)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._deal.count

    def batches(self, epoch: int) -> Iterator[PairBatch]:
        """This process's rows of each batch of an epoch."""
        rng = np.random.default_rng([self._seed, epoch, 1])
        drawn = np.asarray([own[int(rng.integers(len(own)))] for own in self._captions], dtype=np.int64)
        for clips in self._deal.batches(rng):
            mine = clips[self._shard.rows(len(clips))]
            yield PairBatch(mine, drawn[mine])


class EveryCaptionSampler:
    """Every caption of every clip once an epoch, as a pair of its own (Mei et al. 2022, section 3.2).

    Args:
        captions: For each of n clips the numbers of its captions; none may be empty.
        batch: Pairs in a batch, of all processes together.
        seed: Of the run.
        shard: Which process this is.
        keep_rest: Whether pairs that do not fill a batch are used all the same, by batches that are a little smaller;
            else they wait for another epoch.
        apart: Never two captions of one sound in a batch, so that no negative is a positive in truth.
        owners: (n,) with `apart`: what counts as one sound; None: the clip. A sound with more captions than there are
            batches in an epoch gives as many as there are batches, others each time.

    Raises:
        ValueError: A clip has no caption, or the pairs do not fill a batch.
    """

    def __init__(
        self,
        captions: Sequence[Sequence[int]],
        *,
        batch: int,
        seed: int,
        shard: Shard | None = None,
        keep_rest: bool = False,
        apart: bool = False,
        owners: Sequence[int] | None = None,
    ) -> None:
        if owners is not None and not apart:
            raise ValueError("owners are kept apart only with apart=True")
        own = _checked(captions)
        self._seed = seed
        self._shard = shard or Shard()
        self._clips = np.repeat(np.arange(len(own)), [len(numbers) for numbers in own]).astype(np.int64)
        self._texts = np.asarray([number for numbers in own for number in numbers], dtype=np.int64)
        sounds = _numbers(owners if owners is not None else range(len(own)), len(own)) if apart else None
        pair_owners = None if sounds is None else sounds[self._clips]
        self._deal = _Deal(pair_owners, len(self._texts), batch, keep_rest, self._shard)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._deal.count

    def batches(self, epoch: int) -> Iterator[PairBatch]:
        """This process's rows of each batch of an epoch."""
        rng = np.random.default_rng([self._seed, epoch, 2])
        for pairs in self._deal.batches(rng):
            mine = pairs[self._shard.rows(len(pairs))]
            yield PairBatch(self._clips[mine], self._texts[mine])


class OngoingSampler:
    """Every clip once an epoch with one of its captions drawn, as `OneCaptionSampler`, by one process alone.

    Chance comes from a generator that others draw from, too, between batches and between epochs; which batches an epoch
    has depends on all that was drawn before. The shipped search model learned from these.

    Args:
        captions: For each of n clips the numbers of its captions; none may be empty.
        batch: Clips in a batch; the rest of an epoch that does not fill one is left out.
        rng: Where chance comes from.

    Raises:
        ValueError: A clip has no caption, or the clips do not fill a batch.
    """

    def __init__(self, captions: Sequence[Sequence[int]], *, batch: int, rng: np.random.Generator) -> None:
        self._captions = _checked(captions)
        self._batch = batch
        self._rng = rng
        if not len(self):
            raise ValueError(f"{len(captions)} clips do not fill a batch of {batch}")

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._captions) // self._batch

    def batches(self) -> Iterator[PairBatch]:
        """The next epoch's."""
        order = self._rng.permutation(len(self._captions)).astype(np.int64)
        for number in range(len(self)):
            clips = order[number * self._batch : (number + 1) * self._batch]
            drawn = [self._captions[clip][int(self._rng.integers(len(self._captions[clip])))] for clip in clips]
            yield PairBatch(clips, np.asarray(drawn, dtype=np.int64))


class _Deal:
    """Deals `total` cards into batches, as many in every epoch; cards of one owner never into the same batch.

    Attributes:
        count: Batches.
    """

    def __init__(self, owners: IntArray | None, total: int, batch: int, keep_rest: bool, shard: Shard) -> None:
        if batch < shard.count:
            raise ValueError(f"a batch of {batch} cannot be shared by {shard.count} processes")
        self._owners, self._total, self._batch, self._keep_rest = owners, total, batch, keep_rest
        self.count, usable = self._counted(total)
        while owners is not None and self.count:
            usable = int(np.minimum(np.bincount(owners), self.count).sum())
            count, usable = self._counted(usable)
            if count == self.count:
                break
            self.count = count
        self._used = usable
        if not self.count or usable // self.count < shard.count:
            raise ValueError(f"{total} pairs do not fill a batch of {batch} for each of {shard.count} processes")

    def _counted(self, usable: int) -> tuple[int, int]:
        """Batches, and the cards in them."""
        if self._keep_rest:
            return -(-usable // self._batch), usable
        return usable // self._batch, usable // self._batch * self._batch

    def batches(self, rng: np.random.Generator) -> Iterator[IntArray]:
        order = rng.permutation(self._total).astype(np.int64)
        if self._owners is None:
            yield from np.array_split(order[: self._used], self.count)
            return
        # The cards lie owner by owner, and go to one batch after the other in turn: an owner's cards lie side by side
        # and, being no more than there are batches, meet in none.
        turn = rng.permutation(int(self._owners.max()) + 1)
        order = order[np.argsort(turn[self._owners[order]], kind="stable")]
        own = self._owners[order]
        starts = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
        place = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
        order = order[place < self.count]
        left_out = rng.permutation(len(order))[: len(order) - self._used]
        order = np.delete(order, left_out)
        for number in rng.permutation(self.count):
            yield rng.permutation(order[number :: self.count])


def _checked(captions: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    if not all(len(own) for own in captions):
        raise ValueError("a clip without a caption cannot be learned from")
    return list(captions)


def _numbers(owners: Sequence[int] | None, clips: int) -> IntArray | None:
    if owners is None:
        return None
    if len(owners) != clips:
        raise ValueError(f"there are {clips} clips and {len(owners)} owners")
    return np.unique(np.asarray(owners, dtype=np.int64), return_inverse=True)[1].astype(np.int64)
