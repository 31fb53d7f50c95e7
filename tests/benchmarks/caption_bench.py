"""How much faster captions are scored together than pair by pair, and written with a cache than without.

Run as a script: `python tests/benchmarks/caption_bench.py [--threads 2]`. Parameters are fresh: speed does not depend
on them. Two yardsticks for scoring, which stand side by side:

* *From sound*: a captioner takes a sound and a caption. One pair at a time, it runs its encoder and its decoder for
  each of them; together, every sound is encoded once. The target is set on this.
* *From frames*: the frames of all sounds are there already, and only the decoder runs. On a CPU the factor has a
  ceiling: a pair alone already keeps a good part of a core's arithmetic units busy, and together no pair can cost less
  than its arithmetic (shared prefixes counted once) at the speed of a plain matrix product, which is measured beside
  it. The target holds for this where it lies below the ceiling, as it does on CUDA.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Annotated

import numpy as np
import torch
import typer
from row import BenchRow, show
from torch import nn
from torch.nn.functional import cross_entropy

from core.captioning.decoder import TransformerCaptionDecoder
from core.captioning.generation import GenerationConfig, generate_captions
from core.captioning.gru import GruCaptionDecoder
from core.captioning.prefix import build_prefix_tree
from core.captioning.protocol import AudioFeatures, CaptionDecoder
from core.captioning.scoring import score_captions
from core.captioning.vocabulary import BOS, EOS
from core.encoders.registry import create_encoder

AUDIOS, CAPTIONS, VOCABULARY, SEED = 200, 50, 4371, 5
ENCODER, CLIP_S, FRAMES = "convnext-tiny", 10.0, 31
TURN, PAIRS_A_TURN, ENCODED, WRITTEN = 40, 8, 8, 16
SCORING_TARGET, CACHE_TARGET = 20.0, 3.0
PAPER = "CNext-trans"


def typical_captions() -> list[list[int]]:
    """As long as AudioCaps' test captions (10.2 words, spread 4), and beginning alike as often (1.2 times)."""
    rng = np.random.default_rng(SEED)
    captions = []
    for length in np.clip(np.round(rng.normal(10.2, 4.0, CAPTIONS)), 3, 25).astype(int):
        common = np.minimum(rng.geometric(0.3, 2) + 3, 12)
        words = [*common, *rng.integers(4, VOCABULARY, length)][:length]
        captions.append([*(int(word) for word in words), EOS])
    return captions


def elapsed_s(work: Callable[[], object], repeats: int = 1) -> float:
    """Median time of a call."""
    times_s = []
    for _ in range(repeats):
        begin_s = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times_s.append(time.perf_counter() - begin_s)
    return sorted(times_s)[repeats // 2]


def score_pair(decoder: CaptionDecoder, audio: AudioFeatures, caption: list[int]) -> float:
    """One caption, one audio, as training would compute it."""
    with torch.inference_mode():
        tokens = torch.tensor([[BOS, *caption[:-1]]], device=audio.frames.device)
        return float(cross_entropy(decoder(audio, tokens)[0], torch.tensor(caption, device=tokens.device)))


def check_equal(decoder: CaptionDecoder, audio: AudioFeatures, captions: list[list[int]]) -> None:
    """Both ways must give the same numbers before their times are compared."""
    few = audio.select(slice(0, 2))
    together = score_captions(decoder, few, captions[:4])
    for a in range(2):
        for c in range(4):
            alone = score_pair(decoder, few.select(slice(a, a + 1)), captions[c])
            if abs(alone - float(together[a, c])) > 1e-3:
                sys.exit(f"scored together {float(together[a, c])}, alone {alone}")


def pair_gflop(captions: list[list[int]]) -> float:
    """Theoretical operations of the CNext-trans decoder for a mean pair, prefixes shared, in GFLOP."""
    prefixes = build_prefix_tree(captions, bos=BOS).size / len(captions)
    a_layer = 4 * 256**2 + 2 * 256**2 + 2 * 256 * 2048
    return 2 * prefixes * (6 * a_layer + 256 * VOCABULARY) / 1e9


def product_gflop_s(device: torch.device) -> float:
    """Speed of a matrix product as wide as the decoder's widest layer, in GFLOP/s: the best of some."""
    rows, weight = torch.randn(2048, 256, device=device), torch.randn(2048, 256, device=device)
    with torch.inference_mode():
        return 2 * rows.numel() * len(weight) / 1e9 / min(elapsed_s(lambda: rows @ weight.T) for _ in range(20))


def in_turns_s(decoder: CaptionDecoder, audio: AudioFeatures, captions: list[list[int]]) -> tuple[float, float]:
    """Time for one pair alone (median), and for one of all pairs together, both met by the same machine."""
    alone_s: list[float] = []
    together_s = 0.0
    score_captions(decoder, audio.select(slice(0, 1)), captions)
    for first in range(0, AUDIOS, TURN):
        for i in range(first, first + PAIRS_A_TURN):
            one = audio.select(slice(i, i + 1))
            alone_s.append(elapsed_s(lambda one=one, i=i: score_pair(decoder, one, captions[i % CAPTIONS])))
        some = audio.select(slice(first, first + TURN))
        together_s += elapsed_s(lambda some=some: score_captions(decoder, some, captions))
    return sorted(alone_s)[len(alone_s) // 2], together_s / (AUDIOS * CAPTIONS)


def scoring_rows(name: str, decoder: nn.Module, features: int, device: torch.device) -> list[BenchRow]:
    """One decoder from frames, and the captioner of the paper from sound."""
    captions = typical_captions()
    generator = torch.Generator().manual_seed(SEED)
    audio = AudioFeatures(
        torch.randn(AUDIOS, FRAMES, features, generator=generator),
        torch.ones(AUDIOS, FRAMES, dtype=torch.bool),
        torch.randn(AUDIOS, 512, generator=generator),
    ).to(device=device)
    check_equal(decoder, audio, captions)
    alone_s, together_s = in_turns_s(decoder, audio, captions)
    half, half_audio = deepcopy(decoder).to(torch.bfloat16), audio.to(dtype=torch.bfloat16)
    half_s = elapsed_s(lambda: score_captions(half, half_audio, captions)) / (AUDIOS * CAPTIONS)
    rows = [
        BenchRow(f"{name} on {device.type}, from frames: one pair at a time", f"{1e3 * alone_s:.2f} ms"),
        BenchRow(f"  {CAPTIONS} captions x {AUDIOS} sounds together, a pair", f"{1e3 * together_s:.3f} ms"),
    ]
    if name != PAPER:
        return [
            *rows,
            target_row("  FROM FRAMES: times faster", alone_s / together_s, None),
            target_row("  from frames in bfloat16: times faster", alone_s / half_s, None),
        ]
    work_gflop, speed = pair_gflop(captions), product_gflop_s(device)
    ceiling = alone_s / (work_gflop / speed)
    encoding_s = encoder_s(device)
    factor = (encoding_s + alone_s) / (encoding_s / CAPTIONS + together_s)
    return [
        *rows,
        target_row("  FROM FRAMES: times faster", alone_s / together_s, SCORING_TARGET if ceiling > 25 else None),
        BenchRow(f"    ceiling at the {speed:.0f} GFLOP/s of a plain product", f"{ceiling:.1f}"),
        BenchRow("    arithmetic when together", f"{work_gflop / together_s:.0f} GFLOP/s"),
        target_row("  from frames in bfloat16: times faster", alone_s / half_s, None),
        BenchRow(f"  {ENCODER}, one sound of {CLIP_S:g} s", f"{1e3 * encoding_s:.1f} ms"),
        target_row("  FROM SOUND: times faster", factor, SCORING_TARGET),
    ]


def target_row(name: str, factor: float, target: float | None) -> BenchRow:
    """A factor and what it should be at least, if anything."""
    if target is None:
        return BenchRow(name, f"{factor:.1f}")
    return BenchRow(name, f"{factor:.1f}", f"at least {target:g}", factor >= target)


def encoder_s(device: torch.device) -> float:
    """Time to encode one sound."""
    encoder = create_encoder(ENCODER).eval().to(device)
    clip = 0.1 * torch.randn(1, int(CLIP_S * encoder.sample_rate_hz), device=device)
    with torch.inference_mode():
        encoder(clip)
        return elapsed_s(lambda: encoder(clip), ENCODED)


def writing_rows(device: torch.device) -> list[BenchRow]:
    """Beam search over twenty tokens with and without a cache."""
    torch.manual_seed(SEED)
    decoder = TransformerCaptionDecoder(vocabulary_size=VOCABULARY).eval().to(device)
    with torch.no_grad():
        decoder.classifier.bias[EOS] = -100.0
    audio = AudioFeatures(torch.randn(WRITTEN, FRAMES, 768), torch.ones(WRITTEN, FRAMES, dtype=torch.bool))
    audio = audio.to(device=device)
    config = GenerationConfig()
    if generate_captions(decoder, audio, cached=True)[0][0].tokens != (
        generate_captions(decoder, audio, cached=False)[0][0].tokens
    ):
        sys.exit("the search finds other captions with its cache than without")
    with_s = elapsed_s(lambda: generate_captions(decoder, audio, config=config), 5)
    without_s = elapsed_s(lambda: generate_captions(decoder, audio, config=config, cached=False), 3)
    return [
        BenchRow(f"Beam search on {device.type}, {WRITTEN} sounds, 3 beams, 20 tokens", f"{1e3 * with_s:.0f} ms"),
        BenchRow("  the same without a cache", f"{1e3 * without_s:.0f} ms"),
        target_row("  times faster", without_s / with_s, CACHE_TARGET),
    ]


def main(threads: Annotated[int, typer.Option(help="CPU threads.")] = 2) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    rows: list[BenchRow] = []
    for device in devices:
        transformer = TransformerCaptionDecoder(vocabulary_size=VOCABULARY).eval().to(device)
        gru = GruCaptionDecoder(vocabulary_size=VOCABULARY).eval().to(device)
        rows += scoring_rows(PAPER, transformer, 768, device)
        rows += scoring_rows("CNN10+GRU", gru, 512, device)
        rows += writing_rows(device)
    if not show(f"Captions, {threads} threads", rows):
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
