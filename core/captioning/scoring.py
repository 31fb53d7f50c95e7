"""A captioner as a retriever: how well each caption explains each sound.

Labbé, Pellegrini, Pinquier 2023, sections 2.3 and 4.2: the score of a pair is the cross-entropy of the caption's
tokens, eos included, given the audio; the lower, the better they fit.

Shape legend: a audios, c captions, n distinct prefixes, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.captioning.mode import evaluating
from core.captioning.prefix import PrefixTree, build_prefix_tree
from core.captioning.protocol import AudioFeatures, CaptionDecoder
from core.captioning.vocabulary import BOS

_PREFIXES_AT_ONCE = 2048


def score_captions(
    decoder: CaptionDecoder,
    audio: AudioFeatures,
    captions: Sequence[Sequence[int]],
    *,
    bos: int = BOS,
    prefixes_at_once: int = _PREFIXES_AT_ONCE,
) -> Tensor:
    """Mean token cross-entropy of every caption for every audio, without label smoothing.

    Every distinct prefix of the captions is computed once for each audio, and what belongs to an audio or to the
    captions alone is computed once altogether.

    Args:
        decoder: Put into evaluation mode for the time of the call.
        audio: The a audios.
        captions: Token ids of the c captions without bos; `Vocabulary.encode` gives them, eos at the end.
        bos: The token that captions begin with.
        prefixes_at_once: Upper bound of audios times prefixes that the decoder sees together; bounds the memory
            (about 40 kB for each with the default decoder).

    Returns:
        (a, c) float32, on the audio's device; lower is better.

    Raises:
        ValueError: No captions, or one without tokens, or a token outside the vocabulary.
    """
    outside = [t for caption in captions for t in caption if not 0 <= t < decoder.vocabulary_size]
    if outside:
        raise ValueError(f"token {outside[0]} is outside the vocabulary of {decoder.vocabulary_size}")
    with evaluating(decoder):
        parts = [
            torch.cat([_score(decoder, part, tree) for part in _portions(audio, tree, prefixes_at_once)])
            for tree in _trees(captions, bos, prefixes_at_once, audio.frames.device)
        ]
    return torch.cat(parts, dim=1).clone()


def score_pairs(
    decoder: CaptionDecoder, audio: AudioFeatures, captions: Sequence[Sequence[int]], *, bos: int = BOS
) -> Tensor:
    """Mean token cross-entropy of one caption for each audio, as `score_captions` on its diagonal.

    Args:
        decoder: Put into evaluation mode for the time of the call.
        audio: The a audios.
        captions: Token ids of a captions, eos at the end.
        bos: The token that captions begin with.

    Returns:
        (a,) float32, on the audio's device; lower is better.

    Raises:
        ValueError: Not one caption with tokens for each audio.
    """
    if len(captions) != len(audio) or not all(len(caption) for caption in captions):
        raise ValueError(f"expected a caption with tokens for each of {len(audio)} audios")
    device = audio.frames.device
    lengths = torch.tensor([len(caption) for caption in captions], device=device)
    targets = nn.utils.rnn.pad_sequence([torch.tensor(list(caption)) for caption in captions], batch_first=True)
    targets = targets.to(device)
    inputs = torch.cat([torch.full_like(targets[:, :1], bos), targets[:, :-1]], dim=1)
    with evaluating(decoder):
        told = decoder(audio, inputs).float().log_softmax(dim=-1)
    losses = -told.gather(2, targets[:, :, None])[:, :, 0]
    counts = torch.arange(targets.shape[1], device=device) < lengths[:, None]
    return (losses.masked_fill(~counts, 0.0).sum(dim=1) / lengths).clone()


def _trees(
    captions: Sequence[Sequence[int]], bos: int, prefixes_at_once: int, device: torch.device
) -> list[PrefixTree]:
    """Trees of successive captions, none with more prefixes than allowed unless one caption alone has."""
    if not captions:
        raise ValueError("there are no captions")
    groups: list[list[Sequence[int]]] = [[]]
    tokens = 0
    for caption in captions:
        if groups[-1] and tokens + len(caption) > prefixes_at_once:
            groups.append([])
            tokens = 0
        groups[-1].append(caption)
        tokens += len(caption)
    return [build_prefix_tree(group, bos=bos).to(device) for group in groups]


def _portions(audio: AudioFeatures, tree: PrefixTree, prefixes_at_once: int) -> list[AudioFeatures]:
    step = max(1, prefixes_at_once // tree.size)
    return [audio.select(slice(first, first + step)) for first in range(0, len(audio), step)]


def _score(decoder: CaptionDecoder, audio: AudioFeatures, tree: PrefixTree) -> Tensor:
    """(a, c) mean cross-entropies of a tree's captions."""
    logits = decoder.prefix_logits(audio, tree)
    # One audio at a time: what logsumexp holds in between is as large as the logits themselves.
    normaliser = torch.stack([of_audio.float().logsumexp(dim=-1) for of_audio in logits])
    counts = tree.targets >= 0
    flat = tree.path * logits.shape[-1] + tree.targets.clamp(min=0)
    chosen = logits.flatten(1)[:, flat].float()
    loss = (normaliser[:, tree.path] - chosen).masked_fill(~counts, 0.0)
    return loss.sum(dim=-1) / counts.sum(dim=-1)


def scale_captions(losses: Tensor) -> Tensor:
    """Min-max scale each caption's column over the audios, (a, c) -> (a, c) in 0..1.

    Section 4.2: some captions are likely whatever the sound; without scaling they win every audio-to-text search.
    A column without any spread becomes zeros.

    Raises:
        ValueError: Not a matrix, or empty.
    """
    _check(losses)
    lowest = losses.min(dim=0, keepdim=True).values
    spread = losses.max(dim=0, keepdim=True).values - lowest
    return (losses - lowest) / torch.where(spread > 0, spread, torch.ones_like(spread))


def rank_audios(losses: Tensor) -> Tensor:
    """Text-to-audio: for each caption the audios from the best to the worst, (a, c) -> (c, a); eq. 1a."""
    _check(losses)
    return losses.argsort(dim=0, stable=True).T


def rank_captions(losses: Tensor, *, scaled: bool = True) -> Tensor:
    """Audio-to-text: for each audio the captions from the best to the worst, (a, c) -> (a, c); eq. 1b.

    Args:
        losses: From `score_captions`.
        scaled: Compare columns scaled by `scale_captions`, and let the raw loss decide between equals (every
            caption is zero for the audio that it fits best, so equals are the rule). False: raw losses.
    """
    _check(losses)
    by_loss = losses.argsort(dim=1, stable=True)
    if not scaled:
        return by_loss
    return by_loss.gather(1, scale_captions(losses).gather(1, by_loss).argsort(dim=1, stable=True))


def _check(losses: Tensor) -> None:
    if losses.ndim != 2 or 0 in losses.shape:
        raise ValueError(f"expected losses (audios, captions), got shape {tuple(losses.shape)}")
    if bool(torch.isnan(losses).any()):
        raise ValueError("the losses hold NaN")
