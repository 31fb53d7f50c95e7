"""Two processes with half a batch each must learn what one process learns from the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing
from torch.nn.functional import normalize

from training.distributed import gather_batch, gather_rows, is_distributed
from training.losses import Batch, NtXent, create_loss

pytestmark = pytest.mark.slow
ROWS = 7
FIRST = 4  # of them on process 0, the rest on process 1
LOSSES = ("nt-xent", "triplet-sum", "triplet-weighted", "sigmoid", "info-nce")


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Text and audio features (7, 6), and the number of each pair's sound: pairs 1 and 5 share theirs."""
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(ROWS, 6, generator=generator, dtype=torch.float64)
    audio = text + torch.randn(ROWS, 6, generator=generator, dtype=torch.float64)
    ids = torch.arange(ROWS)
    ids[5] = 1
    return text, audio, ids


def towers() -> torch.nn.ModuleDict:
    torch.manual_seed(1)
    return torch.nn.ModuleDict({side: torch.nn.Linear(6, 4).double() for side in ("text", "audio")})


def learn(name: str, rows: slice) -> tuple[float, dict[str, torch.Tensor]]:
    """One backward pass over some rows; loss and the gradients of the towers and of the loss's own numbers."""
    text, audio, ids = inputs()
    model, loss = towers(), create_loss(name).double()
    batch = gather_batch(
        normalize(model["text"](text[rows]), dim=-1),
        normalize(model["audio"](audio[rows]), dim=-1),
        text_audio=ids[rows],
        audio_ids=ids[rows],
    )
    total = torch.stack(list(loss(batch).values())).sum()
    total.backward()
    named = [*model.named_parameters(), *loss.named_parameters()]
    return float(total.detach()), {key: p.grad for key, p in named if p.grad is not None}


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    try:
        rows = slice(0, FIRST) if rank == 0 else slice(FIRST, ROWS)
        told = {}
        for name in LOSSES:
            value, gradients = learn(name, rows)
            for gradient in gradients.values():  # what DistributedDataParallel does
                distributed.all_reduce(gradient)
                gradient /= 2
            told[name] = (value, gradients)
        counted = gather_rows(torch.full((rank + 1, 2), float(rank)))
        torch.save({"told": told, "counted": counted, "many": is_distributed()}, f"{folder}/{rank}.pt")
    finally:
        distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory) -> list[dict]:
    folder: Path = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(work, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_that_two_processes_learn_what_one_learns_from_the_whole_batch(two_processes, name):
    value, gradients = learn(name, slice(0, ROWS))
    for result in two_processes:
        told, theirs = result["told"][name]
        assert told == pytest.approx(value, rel=1e-12)
        assert set(theirs) == set(gradients)
        for key, gradient in gradients.items():
            assert torch.allclose(theirs[key], gradient, rtol=1e-9, atol=1e-12), key


def test_that_rows_come_in_the_order_of_the_processes_however_many_each_has(two_processes):
    for result in two_processes:
        assert result["many"]
        assert result["counted"].tolist() == [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]


def test_that_half_a_batch_alone_teaches_something_else():
    value, _ = learn("nt-xent", slice(0, FIRST))
    assert value != pytest.approx(learn("nt-xent", slice(0, ROWS))[0], rel=1e-3)


def test_that_a_process_alone_keeps_its_rows():
    rows = torch.randn(3, 2, requires_grad=True)
    assert not is_distributed()
    assert gather_rows(rows) is rows
    with pytest.raises(ValueError, match="expected rows"):
        gather_rows(torch.tensor(1.0))


def test_that_matches_and_estimates_come_from_numbers_and_teachers():
    text = normalize(torch.randn(3, 4), dim=-1)
    audio = normalize(torch.randn(2, 4), dim=-1)
    batch = gather_batch(
        text, audio, text_audio=torch.tensor([5, 9, 5]), audio_ids=torch.tensor([9, 5]), teachers=(text, audio)
    )
    assert isinstance(batch, Batch)
    assert batch.matches.tolist() == [[False, True], [True, False], [False, True]]
    assert torch.equal(batch.estimates, text @ audio.T)
    assert torch.isfinite(NtXent()(batch)["text_to_audio"])
