"""Writing captions: greedy and beam search.

Labbé, Pellegrini, Pinquier 2023, section 3.3: beam search with three beams; a word that is no stopword is never said
twice in one caption: its logit becomes minus infinity before the log-softmax, so that the other words share its
probability. A finished beam retires and leaves the rest of the search to fewer beams. The caption with the highest
mean log-probability per token, eos included, wins.

Shape legend: a audios, k beams, r live beams of all audios, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.captioning.mode import evaluating
from core.captioning.protocol import AudioFeatures, CaptionDecoder, DecoderState, RecomputedState
from core.captioning.vocabulary import BOS, EOS, PAD

_LOWEST = float("-inf")


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """How captions are written.

    Attributes:
        beams: k; 1 is greedy search.
        shortest: Words before eos is allowed.
        longest: Tokens after which a caption ends, eos included.
        never: Tokens that no caption holds.
        open_words: Tokens that no caption ends with ("the", "of"): eos is not allowed after them.
        bos: The token that every caption begins with.
        eos: The token that ends a caption.

    Raises:
        ValueError: A bound that makes no sense.
    """

    beams: int = 3
    shortest: int = 3
    longest: int = 20
    never: tuple[int, ...] = (PAD, BOS)
    open_words: tuple[int, ...] = ()
    bos: int = BOS
    eos: int = EOS

    def __post_init__(self) -> None:
        if self.beams < 1 or not 0 <= self.shortest < self.longest:
            raise ValueError(f"expected at least one beam and 0 <= shortest < longest, got {self}")


@dataclass(frozen=True, slots=True)
class GeneratedCaption:
    """One caption.

    Attributes:
        tokens: Token ids after bos, with eos where the caption ended by itself.
        mean_log_probability: Of its tokens; the higher, the surer.
    """

    tokens: tuple[int, ...]
    mean_log_probability: float


@dataclass(slots=True)
class _Live:
    """The beams that still grow.

    Attributes:
        audio: (r,) the audio of each beam, ascending.
        tokens: (r, length) tokens after bos.
        total: (r,) sum of log-probabilities.
        said: (r, v) True for words that may not come again.
    """

    audio: Tensor
    tokens: Tensor
    total: Tensor
    said: Tensor


def generate_captions(
    decoder: CaptionDecoder,
    audio: AudioFeatures,
    *,
    content_words: Sequence[bool] | Tensor | None = None,
    config: GenerationConfig | None = None,
    cached: bool = True,
) -> list[list[GeneratedCaption]]:
    """Write captions for a batch of audios.

    Args:
        decoder: Put into evaluation mode for the time of the call.
        audio: The a audios.
        content_words: (v,) True for words that may stand in a caption only once (`Vocabulary.content_words()`);
            None: all words may be repeated.
        config: Beams and bounds.
        cached: Keep keys and values of earlier tokens; False computes every prefix anew, with the same result.

    Returns:
        For each audio its beams, best first; with `open_words`, those that were broken off at the longest come last.

    Raises:
        ValueError: `content_words` is not of the vocabulary's size.
    """
    config = config or GenerationConfig()
    device = audio.frames.device
    once = torch.zeros(decoder.vocabulary_size, dtype=torch.bool, device=device)
    if content_words is not None:
        once = torch.as_tensor(content_words, dtype=torch.bool, device=device)
        if once.shape != (decoder.vocabulary_size,):
            raise ValueError(f"expected {decoder.vocabulary_size} flags for words, got {tuple(once.shape)}")
    make: Callable[[AudioFeatures], DecoderState] = (
        decoder.start if cached else lambda features: RecomputedState(decoder, features)
    )
    with evaluating(decoder):
        return _search(make(audio), len(audio), once, config)


def generate_greedily(
    decoder: CaptionDecoder,
    audio: AudioFeatures,
    *,
    content_words: Sequence[bool] | Tensor | None = None,
    config: GenerationConfig | None = None,
) -> list[GeneratedCaption]:
    """Write one caption per audio, the likeliest word at each step; `generate_captions` with one beam."""
    greedy = replace(config or GenerationConfig(), beams=1)
    return [beams[0] for beams in generate_captions(decoder, audio, content_words=content_words, config=greedy)]


def _search(state: DecoderState, audios: int, once: Tensor, config: GenerationConfig) -> list[list[GeneratedCaption]]:
    device = once.device
    live = _Live(
        audio=torch.arange(audios, device=device),
        tokens=torch.empty(audios, 0, dtype=torch.long, device=device),
        total=torch.zeros(audios, device=device),
        said=torch.zeros(audios, once.shape[0], dtype=torch.bool, device=device),
    )
    room = [config.beams] * audios
    done: list[list[GeneratedCaption]] = [[] for _ in range(audios)]
    last = torch.full((audios,), config.bos, dtype=torch.long, device=device)
    for place in range(config.longest):
        logits = _allowed(state.step(last).float(), live.said, last, place, config)
        parents, words, totals = _best(live, logits.log_softmax(dim=-1), room)
        said = live.said[parents]
        said[torch.arange(words.shape[0], device=device), words] |= once[words]
        live = _Live(live.audio[parents], torch.cat([live.tokens[parents], words[:, None]], dim=1), totals, said)
        ends = words == config.eos if place < config.longest - 1 else torch.ones_like(words, dtype=torch.bool)
        for row in ends.nonzero()[:, 0].tolist():
            number = int(live.audio[row])
            mean = float(live.total[row]) / (place + 1)
            done[number].append(GeneratedCaption(tuple(live.tokens[row].tolist()), mean))
            room[number] -= 1
        stay = (~ends).nonzero()[:, 0]
        if stay.numel() == 0:
            break
        live = _Live(live.audio[stay], live.tokens[stay], live.total[stay], live.said[stay])
        state.select(parents[stay])
        last = live.tokens[:, -1]

    def rank(caption: GeneratedCaption) -> tuple[bool, float]:
        broken_off = bool(config.open_words) and caption.tokens[-1] != config.eos
        return broken_off, -caption.mean_log_probability

    return [sorted(captions, key=rank) for captions in done]


def _allowed(logits: Tensor, said: Tensor, last: Tensor, place: int, config: GenerationConfig) -> Tensor:
    """Logits (r, v) with minus infinity where a word must not come; eos stays where nothing else would."""
    forbidden = said.clone()
    forbidden[:, list(config.never)] = True
    forbidden[:, config.eos] = place < config.shortest
    if config.open_words:
        forbidden[:, config.eos] |= torch.isin(last, last.new_tensor(config.open_words))
    forbidden[:, config.eos] &= ~forbidden.all(dim=1)
    return logits.masked_fill(forbidden, _LOWEST)


def _best(live: _Live, log_probabilities: Tensor, room: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """For each audio its `room` best continuations: rows that they continue, their words, their sums."""
    device = log_probabilities.device
    width = min(max(room), log_probabilities.shape[1])
    top, words = (live.total[:, None] + log_probabilities).topk(width, dim=1)  # (r, k)
    counts = torch.bincount(live.audio, minlength=len(room))
    first = counts.cumsum(0) - counts
    slot = torch.arange(live.audio.shape[0], device=device) - first[live.audio]
    table = top.new_full((len(room), int(counts.max()), width), _LOWEST)
    table[live.audio, slot] = top
    best, where = table.flatten(1).topk(min(width, table[0].numel()), dim=1)  # (a, k)
    left = torch.tensor(room, device=device)[:, None]
    keep = (torch.arange(best.shape[1], device=device) < left) & (best > _LOWEST)
    audio, _ = keep.nonzero(as_tuple=True)
    chosen = where[keep]
    parents = first[audio] + chosen // width
    return parents, words[parents, chosen % width], best[keep]
