"""What each loss costs beside the product that makes its similarity matrix.

Run as a script: `python tests/benchmarks/loss_bench.py [--threads 2]`. A batch of 4,096 pairs with 1,024 features, the
papers' shared dimension. "Forward" compares the loss with the product, "with backward" both with their gradients. The
hierarchical loss has no single matrix: it is measured at 96 pairs beside the products of its three levels, caption
cross-entropy beside the product of its classifier.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from row import BenchRow, show
from torch import Tensor, nn
from torch.nn.functional import normalize

from training.losses import Batch, create_loss
from training.losses.caption_cross_entropy import CaptionBatch
from training.losses.hci import HierarchicalBatch
from training.losses.text_caption_matching import CaptionedBatch

PAIRS, FEATURES, REPEATS, LIMIT = 4096, 1024, 5, 2.0
FEW, FRAMES, WORDS, PARTS = 96, 31, 20, 10
CAPTIONS, TOKENS, WIDTH, VOCABULARY = 128, 12, 256, 4371
PAIR_LOSSES = (
    "nt-xent",
    "info-nce",
    "sigmoid",
    "triplet-sum",
    "triplet-max",
    "triplet-weighted",
    "estimated-correspondence",
)
Work = Callable[[], Tensor]


def elapsed_s(work: Work, inputs: list[Tensor], *, backward: bool) -> float:
    """Time of a forward, and a backward on request."""
    for tensor in inputs:
        tensor.grad = None
    begin_s = time.perf_counter()
    result = work()
    if backward:
        result.backward()
    if result.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begin_s


def compare(name: str, loss: Work, product: Work, inputs: list[Tensor]) -> list[BenchRow]:
    """One loss beside its product, in turns, so that both meet the same machine; the first turn warms up."""
    rows = []
    for backward, word in ((False, "forward"), (True, "with backward")):
        with torch.set_grad_enabled(backward):
            turns = [
                [elapsed_s(work, inputs, backward=backward) for work in (product, loss)] for _ in range(REPEATS + 1)
            ]
        product_s, loss_s = (statistics.median(times) for times in zip(*turns[1:], strict=True))
        factor = loss_s / product_s
        value = f"{1e3 * loss_s:.0f} ms beside {1e3 * product_s:.0f} ms: {factor:.2f} times"
        rows.append(BenchRow(f"{name}, {word}", value, f"at most {LIMIT:g} times", factor <= LIMIT))
    return rows


def total(parts: dict[str, Tensor]) -> Tensor:
    """Sum of a loss's parts."""
    return torch.stack(list(parts.values())).sum()


def unit(*shape: int, device: torch.device) -> Tensor:
    """Random unit vectors that want a gradient."""
    return normalize(torch.randn(*shape, device=device), dim=-1).requires_grad_()


class _Product(torch.autograd.Function):
    """The product alone: its sum costs nothing, and its gradient comes as a full matrix."""

    @staticmethod
    def forward(ctx, first: Tensor, second: Tensor) -> Tensor:
        ctx.save_for_backward(first, second)
        ctx.scores = first @ second.T
        return ctx.scores[0, 0].clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        first, second = ctx.saved_tensors
        return ctx.scores @ second, ctx.scores.T @ first


def product_of(*sides: tuple[Tensor, Tensor]) -> Work:
    """The products of some pairs of matrices."""
    return lambda: torch.stack([_Product.apply(first, second) for first, second in sides]).sum()


def pair_rows(device: torch.device) -> list[BenchRow]:
    """All losses over one similarity matrix."""
    text, audio = unit(PAIRS, FEATURES, device=device), unit(PAIRS, FEATURES, device=device)
    ids = torch.arange(PAIRS, device=device) // 2
    matches = ids[:, None] == ids
    batch = Batch(text, audio, matches, torch.rand(PAIRS, PAIRS, device=device))
    product = product_of((text, audio))
    rows = []
    for name in PAIR_LOSSES:
        loss: nn.Module = create_loss(name).to(device)
        rows += compare(name, lambda loss=loss: total(loss(batch)), product, [text, audio])
    matching = create_loss("text-caption-matching")
    captioned = CaptionedBatch(text, audio, matches)
    return rows + compare("text-caption-matching", lambda: total(matching(captioned)), product, [text, audio])


def other_rows(device: torch.device) -> list[BenchRow]:
    """The hierarchical loss and next-word prediction."""
    clip, sentence = unit(FEW, FEATURES, device=device), unit(FEW, FEATURES, device=device)
    frames, words = unit(FEW, FRAMES, FEATURES, device=device), unit(FEW, WORDS, FEATURES, device=device)
    segments, phrases = unit(FEW, PARTS, FEATURES, device=device), unit(FEW, PARTS, FEATURES, device=device)
    features = [clip, sentence, frames, words, segments, phrases]
    hierarchy = HierarchicalBatch(
        clip=clip,
        sentence=sentence,
        frames=frames,
        frame_mask=torch.rand(FEW, FRAMES, device=device) > 0.1,
        words=words,
        word_mask=torch.rand(FEW, WORDS, device=device) > 0.1,
        segments=segments,
        phrases=phrases,
        matches=torch.eye(FEW, dtype=torch.bool, device=device),
    )
    hci = create_loss("hci")
    levels = product_of(
        (clip, sentence),
        (frames.flatten(0, 1), words.flatten(0, 1)),
        (segments.flatten(0, 1), phrases.flatten(0, 1)),
    )
    rows = compare(f"hci, {FEW} pairs", lambda: total(hci(hierarchy)), levels, features)
    hidden = torch.randn(CAPTIONS * TOKENS, WIDTH, device=device, requires_grad=True)
    weight = torch.randn(VOCABULARY, WIDTH, device=device, requires_grad=True)
    targets = torch.randint(1, VOCABULARY, (CAPTIONS, TOKENS), device=device)
    captions = create_loss("caption-cross-entropy")

    def predict() -> Tensor:
        logits = (hidden @ weight.T).unflatten(0, (CAPTIONS, TOKENS))
        return captions(CaptionBatch(logits, targets))["caption"]

    return rows + compare(
        f"caption-cross-entropy, {CAPTIONS} captions", predict, product_of((hidden, weight)), [hidden, weight]
    )


def main(threads: Annotated[int, typer.Option(help="CPU threads.")] = 2) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = [*pair_rows(device), *other_rows(device)]
    if not show(f"Losses of {PAIRS} pairs on {device.type}, {threads} threads", rows):
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
