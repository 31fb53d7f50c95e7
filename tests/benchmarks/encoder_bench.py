"""How fast every audio encoder of the registry is, on the CPU and on CUDA where there is one.

Run as a script: `python tests/benchmarks/encoder_bench.py [NAME ...] [--threads 2] [--repeats 3]`. Parameters are
fresh: speed does not depend on them. The theoretical count is of multiplications and additions (a multiply-add is
two) in convolutions and matrix products of the whole encoder, front-end's mel matrix included, its FFT not.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from core.encoders.registry import create_encoder, encoder_names

CLIP_S = 10.0
CUDA_BATCH = 32


@dataclass(frozen=True, slots=True)
class EncoderSpeed:
    """One encoder on one device.

    Attributes:
        name: Name in the registry.
        device: "cpu" or "cuda".
        parameters: Number of trainable ones.
        clip_flop: Theoretical operations for one clip of `CLIP_S`.
        clip_s: Median time for one clip of `CLIP_S`, in seconds.
    """

    name: str
    device: str
    parameters: int
    clip_flop: int
    clip_s: float

    @property
    def real_time_factor(self) -> float:
        """Seconds of sound for each second of computing."""
        return CLIP_S / self.clip_s

    @property
    def flop_per_s(self) -> float:
        """Theoretical operations over measured time."""
        return self.clip_flop / self.clip_s


def clip_flop(encoder: nn.Module, clip: Tensor) -> int:
    """Theoretical operations of one forward."""
    # The counter knows attention only when it is made of matrix products.
    with FlopCounterMode(display=False) as counter, torch.inference_mode(), sdpa_kernel(SDPBackend.MATH):
        encoder(clip)
    return counter.get_total_flops()


def median_s(encoder: nn.Module, batch: Tensor, repeats: int) -> float:
    """Median time of a forward after one that warms up."""
    times_s = []
    with torch.inference_mode():
        for _ in range(repeats + 1):
            begin_s = time.perf_counter()
            encoder(batch)
            if batch.is_cuda:
                torch.cuda.synchronize()
            times_s.append(time.perf_counter() - begin_s)
    return statistics.median(times_s[1:])


def measure(name: str, *, repeats: int = 3) -> list[EncoderSpeed]:
    """Measure an encoder on each device: one clip at a time on the CPU, `CUDA_BATCH` at a time on CUDA."""
    encoder = create_encoder(name).eval()
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    clip = 0.1 * torch.randn(1, int(CLIP_S * encoder.sample_rate_hz))
    flop = clip_flop(encoder, clip)
    speeds = [EncoderSpeed(name, "cpu", parameters, flop, median_s(encoder, clip, repeats))]
    if torch.cuda.is_available():
        batch = clip.expand(CUDA_BATCH, -1).contiguous().cuda()
        batch_s = median_s(encoder.cuda(), batch, repeats)
        speeds.append(EncoderSpeed(name, "cuda", parameters, flop, batch_s / CUDA_BATCH))
    return speeds


def speed_table(speeds: Iterable[EncoderSpeed]) -> Table:
    """The figures as a table."""
    table = Table(title=f"Audio encoders, clips of {CLIP_S:g} s")
    table.add_column("encoder")
    table.add_column("device")
    for heading in ("parameters, M", "GFLOP a clip", "ms a clip", "times real time", "GFLOP/s"):
        table.add_column(heading, justify="right")
    for speed in speeds:
        table.add_row(
            speed.name,
            speed.device,
            f"{speed.parameters / 1e6:.1f}",
            f"{speed.clip_flop / 1e9:.2f}",
            f"{1e3 * speed.clip_s:.1f}",
            f"{speed.real_time_factor:.0f}",
            f"{speed.flop_per_s / 1e9:.0f}",
        )
    return table


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Encoders; all when none is named.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    repeats: Annotated[int, typer.Option(help="Forwards, of which the median counts.")] = 3,
) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    console = Console()
    speeds: list[EncoderSpeed] = []
    for name in names or encoder_names():
        with console.status(f"measuring {name}"):
            speeds += measure(name, repeats=repeats)
    console.print(speed_table(speeds))


if __name__ == "__main__":
    typer.run(main)
