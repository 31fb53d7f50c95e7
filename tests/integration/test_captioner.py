"""The captioner that ships says on real sounds what its card says, from the files, as the program does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from core.captioning.guess import CaptionGuess
from core.captioning.shipped import Captioner, load_captioner
from core.captioning.tokenizer import normalise_caption
from core.config import RESOURCES
from core.encoders.load import load_dual_encoder
from training.captioning.evaluate import SentenceModel, fluency
from training.data.manifest import Clip, read_manifest
from training.measure import EncoderEmbedder
from training.metrics.cider import cider_d
from training.metrics.fense import sentence_similarity
from training.metrics.rouge import rouge_l

_MODEL = RESOURCES / "models" / "earshot-captioner"
_LARGEST_BYTES = 30_000_000
_EVERY = 6  # of the clips of both splits


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def captioner(one_thread: None) -> Captioner:
    return load_captioner(_MODEL, device="cpu")


def test_that_the_captioner_is_small(captioner: Captioner) -> None:
    assert sum(file.stat().st_size for file in _MODEL.iterdir()) <= _LARGEST_BYTES


def test_that_a_hum_and_a_hiss_are_not_the_same(captioner: Captioner) -> None:
    rng = np.random.default_rng(0)
    hiss = rng.normal(0, 0.1, 64_000).astype(np.float32)
    hum = (0.3 * np.sin(2 * np.pi * 60 * np.arange(64_000) / 32_000)).astype(np.float32)
    assert captioner.caption(hiss).text != captioner.caption(hum).text


def test_that_its_card_says_more_than_both_baselines(captioner: Captioner) -> None:
    figures = captioner.card.quality
    for metric in ("cider_d", "rouge_l", "sbert_sim"):
        for baseline in ("nearest", "template"):
            assert figures[f"test_{metric}"].value > figures[f"test_{metric}_{baseline}"].value
    assert figures["test_repeating"].value == figures["test_unfinished"].value == 0
    assert figures["test_words"].value >= 400


@dataclass(frozen=True, slots=True)
class Described:
    clips: Sequence[Clip]
    guesses: Sequence[CaptionGuess]
    nearest: Sequence[str]

    def references(self) -> list[list[str]]:
        return [[normalise_caption(text) for text in clip.captions] for clip in self.clips]

    def texts(self) -> list[str]:
        return [normalise_caption(guess.text) for guess in self.guesses]


@pytest.fixture(scope="module")
def described(corpus_folder: Path, captioner: Captioner) -> Described:
    """A part of the test split, beside the captions of the nearest clips of a like part of the training split."""
    clips = read_manifest(corpus_folder)
    own = [clip for clip in clips if clip.split == "test"][::_EVERY]
    embedder = EncoderEmbedder(load_dual_encoder(RESOURCES / "models" / "earshot-base", device="cpu"))
    others = [clip for clip in clips if clip.split == "train"][::_EVERY]
    nearest = (embedder.sounds(own) @ embedder.sounds(others).T).argmax(axis=1)
    return Described(
        own,
        [captioner.caption(clip.path) for clip in own],
        [normalise_caption(others[number].captions[0]) for number in nearest],
    )


@pytest.mark.corpus
@pytest.mark.slow
def test_that_it_says_more_than_the_nearest_clip_does(described: Described) -> None:
    # The nearest of a sixth of the training clips, since all take minutes; the card compares with all of them.
    references, sentences = described.references(), SentenceModel()
    for metric in (cider_d, rouge_l):
        assert metric(described.texts(), references).corpus > metric(described.nearest, references).corpus
    ours, theirs = (
        sentence_similarity(texts, references, sentences).corpus for texts in (described.texts(), described.nearest)
    )
    assert ours > theirs


@pytest.mark.corpus
@pytest.mark.slow
def test_that_its_language_is_clean(described: Described) -> None:
    counted = fluency([guess.text for guess in described.guesses])
    assert (counted.repeating, counted.unfinished) == (0, 0)
    # A sixth of the test split; all of it has more than 400.
    assert counted.words > 150


@pytest.mark.corpus
@pytest.mark.slow
def test_that_it_is_right_more_often_when_it_is_sure(described: Described) -> None:
    sentences = SentenceModel()
    scores = sentence_similarity(described.texts(), described.references(), sentences).sentences
    sure = np.asarray([guess.is_sure for guess in described.guesses])
    assert 0.2 < sure.mean() < 0.95
    assert scores[sure].mean() > scores[~sure].mean() + 0.1
