"""Batches that are spread over processes: negatives from all of them, with the right gradients.

A contrastive loss over a batch of B pairs on W processes needs the features of all W B pairs. Gathering them without
gradient would teach each process from its own rows only; here the gradient flows back to the process that made a row.

Every process computes the loss of the whole batch. The gradient of a row is the sum of what all processes send for
it, W times that of one process, and `DistributedDataParallel` then averages parameters' gradients over W processes:
the result is the gradient of one process with the whole batch.

Shape legend: n rows here, N rows on all processes, d embedding.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import pad

from training.losses.protocol import Batch


def is_distributed() -> bool:
    """Whether there is more than this process."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def rank() -> int:
    """This process among all, from 0."""
    return distributed.get_rank() if is_distributed() else 0


def world_size() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if is_distributed() else 1


@contextmanager
def processes() -> Iterator[None]:
    """Join the other processes where `torchrun` has started several; alone, nothing happens."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or distributed.is_initialized():
        yield
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def same_start(module: nn.Module) -> None:
    """Give every process the parameters and buffers of the first."""
    if is_distributed():
        for value in module.state_dict().values():
            distributed.broadcast(value, 0)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace gradients by their mean over processes, as `DistributedDataParallel` does."""
    if not is_distributed():
        return
    for parameter in parameters:
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:  # Another process may have one.
            parameter.grad = torch.zeros_like(parameter)
        distributed.all_reduce(parameter.grad)
        parameter.grad /= world_size()


def anywhere(flag: bool, device: torch.device) -> bool:
    """Whether a thing is so on any process."""
    if not is_distributed():
        return flag
    told = torch.tensor([float(flag)], device=device)
    distributed.all_reduce(told, op=distributed.ReduceOp.MAX)
    return bool(told.item())


def from_first(value: Any) -> Any:
    """The first process's value, on every process."""
    if not is_distributed():
        return value
    told = [value]
    distributed.broadcast_object_list(told, 0)
    return told[0]


def of_all(value: Any) -> list[Any]:
    """The values of all processes, in the order of their ranks."""
    if not is_distributed():
        return [value]
    told: list[Any] = [None] * world_size()
    distributed.all_gather_object(told, value)
    return told


class _Gather(torch.autograd.Function):
    """All rows forwards; backwards the sum over processes of the gradients of the rows that were given."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        ctx.counts = counts
        return _gather_rows(rows, counts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        whole = gradients[0].contiguous().clone()
        distributed.all_reduce(whole)
        here = distributed.get_rank()
        first = sum(ctx.counts[:here])
        return whole[first : first + ctx.counts[here]], None


def _gather_rows(rows: Tensor, counts: list[int]) -> Tensor:
    """Rows of all processes in the order of their ranks; shorter ones are padded on the way."""
    most = max(counts)
    padding = [0, 0] * (rows.ndim - 1) + [0, most - len(rows)]
    given = pad(rows, padding).contiguous()
    received = [torch.empty_like(given) for _ in counts]
    distributed.all_gather(received, given)
    return torch.cat([part[:count] for part, count in zip(received, counts, strict=True)])


def gather_rows(rows: Tensor) -> Tensor:
    """(n, ...) here -> (N, ...) of all processes in the order of their ranks, with gradient where `rows` has one.

    Processes may have different numbers of rows. Alone, a process gets its own rows back. Every process must call this
    equally often.

    Raises:
        ValueError: `rows` has no dimension.
    """
    if rows.ndim == 0:
        raise ValueError("expected rows, got a single number")
    if not is_distributed():
        return rows
    mine = torch.tensor([len(rows)], device=rows.device)
    lengths = [torch.empty_like(mine) for _ in range(distributed.get_world_size())]
    distributed.all_gather(lengths, mine)
    counts = [int(length) for length in lengths]
    if rows.requires_grad and torch.is_grad_enabled():
        whole: Tensor = _Gather.apply(rows, counts)  # type: ignore[no-untyped-call]
        return whole
    return _gather_rows(rows, counts)


def gather_members(members: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Members (n, t, d) with their mask (n, t) of all processes, padded to the longest of any."""
    if not is_distributed():
        return members, mask
    missing = max(of_all(members.shape[1])) - members.shape[1]
    return gather_rows(pad(members, [0, 0, 0, missing])), gather_rows(pad(mask.byte(), [0, missing])).bool()


def gather_batch(
    text: Tensor,
    audio: Tensor,
    *,
    text_audio: Tensor,
    audio_ids: Tensor,
    teachers: tuple[Tensor, Tensor] | None = None,
) -> Batch:
    """One `Batch` of the features of all processes.

    Args:
        text: (n, d) unit length.
        audio: (m, d) unit length.
        text_audio: (n,) number of the sound that each text describes.
        audio_ids: (m,) number of each sound; the same on all processes.
        teachers: A teacher's texts (n, e) and sounds (m, e) of unit length, whose cosines become the estimates;
            without them the estimates are zero.
    """
    texts, sounds = gather_rows(text), gather_rows(audio)
    matches = gather_rows(text_audio)[:, None] == gather_rows(audio_ids)[None, :]
    if teachers is None:
        estimates = torch.zeros(matches.shape, dtype=texts.dtype, device=texts.device)
    else:
        estimates = gather_rows(teachers[0].detach()) @ gather_rows(teachers[1].detach()).T
    return Batch(texts, sounds, matches, estimates)
