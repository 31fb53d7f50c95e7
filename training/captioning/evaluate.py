"""How good captions are, beside those that need no captioner.

Shape legend: n clips, e clip embedding, c classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.captioning.generation import GeneratedCaption
from core.captioning.protocol import CaptionDecoder
from core.captioning.scoring import rank_audios, rank_captions, score_captions
from core.captioning.shipped import Evidence, sentence, weigh
from core.captioning.stopword import OPEN_WORDS, STOPWORDS
from core.captioning.tokenizer import normalise_caption
from core.captioning.vocabulary import Vocabulary
from core.captioning.writer import CaptionWriter
from core.encoders.efficientat import MobileNetEncoder
from core.types import FloatArray, IntArray
from training.captioning.material import CaptionMaterial, embeddings_of
from training.evaluate import caption_queries
from training.metrics.caption_report import CaptionReport, evaluate_captions
from training.retrieval.config import TextPart
from training.retrieval.encoder import load_text

_AT_ONCE = 64
_SENTENCES_AT_ONCE = 64
_LIKENESS = 0.6
"""From this cosine of the sentence embeddings on, a caption and a reference say the same."""


class SentenceModel:
    """The sentence encoder of the model that ships, as `training.metrics.fense.SentenceEncoder`; texts are kept."""

    def __init__(self) -> None:
        part = TextPart()
        self._text = load_text(part, Path())
        self._known: dict[str, FloatArray] = {}

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        """Texts (n) -> (n, d)."""
        new = sorted({text for text in texts if text not in self._known}, key=len)
        with torch.inference_mode():
            for begin in range(0, len(new), _SENTENCES_AT_ONCE):
                part = new[begin : begin + _SENTENCES_AT_ONCE]
                vectors = self._text.encode(self._text.tokenise(part)).embedding.numpy()
                self._known.update(zip(part, vectors, strict=True))
        return np.stack([self._known[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Told:
    """What a captioner says of n clips.

    Attributes:
        texts: Its sentences.
        evidence: For each what speaks for it.
    """

    texts: tuple[str, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Fluency:
    """What can be counted of the language of captions.

    Attributes:
        repeating: Captions that say a content word twice.
        unfinished: Captions that end with a word that leaves them open.
        words: Distinct words over all captions.
        sentences: Distinct captions.
    """

    repeating: int
    unfinished: int
    words: int
    sentences: int


def tell(writer: CaptionWriter, material: CaptionMaterial, rows: IntArray) -> Told:
    """The captions of clips, as the program writes them."""
    texts: list[str] = []
    evidence: list[Evidence] = []
    clip = material.sounds.clip
    assert clip is not None  # A captioner that ships has a prefix.
    kinds = writer.kinds(clip[rows])
    for row, beams in enumerate(write_captions(writer, material, rows)):
        said = [sentence(writer.vocabulary.decode(beam.tokens)) for beam in beams]
        texts.append(said[0])
        evidence.append(weigh(beams, said, kinds=kinds[row]))
    return Told(tuple(texts), tuple(evidence))


def write_captions(
    writer: CaptionWriter, material: CaptionMaterial, rows: IntArray
) -> Iterator[list[GeneratedCaption]]:
    """The captions of each clip, best first."""
    for begin in range(0, len(rows), _AT_ONCE):
        yield from writer.write(material.sounds.features(rows[begin : begin + _AT_ONCE]))


def judge(texts: Sequence[str], material: CaptionMaterial, rows: IntArray, sentences: SentenceModel) -> CaptionReport:
    """Every caption metric that can run here, against the clips' own captions."""
    candidates = [normalise_caption(text) for text in texts]
    return evaluate_captions(candidates, references(material, rows), encoder=sentences)


def references(material: CaptionMaterial, rows: IntArray) -> list[list[str]]:
    """The captions of clips, as metrics compare them."""
    return [[normalise_caption(text) for text in material.clips[row].captions] for row in rows]


def likenesses(texts: Sequence[str], material: CaptionMaterial, rows: IntArray, sentences: SentenceModel) -> FloatArray:
    """(n,) cosine of each caption and the reference that is nearest to it."""
    nearest: list[float] = []
    for text, own in zip(texts, references(material, rows), strict=True):
        vectors = sentences([normalise_caption(text), *own])
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        nearest.append(float((unit[1:] @ unit[0]).max()))
    return np.asarray(nearest, dtype=np.float32)


def says_so(likeness: FloatArray) -> npt.NDArray[np.bool_]:
    """(n,) whether a caption says what one of its references says."""
    return np.asarray(likeness >= _LIKENESS)


def fluency(texts: Sequence[str]) -> Fluency:
    """Count what must not be, and how rich the language is."""
    split = [normalise_caption(text).split() for text in texts]
    content = [[word for word in words if word not in STOPWORDS] for words in split]
    return Fluency(
        repeating=sum(len(set(words)) < len(words) for words in content),
        unfinished=sum(not words or words[-1] in OPEN_WORDS for words in split),
        words=len({word for words in split for word in words}),
        sentences=len(set(texts)),
    )


def nearest_captions(material: CaptionMaterial, rows: IntArray) -> list[str]:
    """A baseline: the first caption of the training clip that is nearest by the search model that ships."""
    clip, learned = material.placed, material.learned
    assert clip is not None  # Only asked of a captioner with a prefix.
    nearest = (clip[rows] @ clip[learned].T).argmax(dim=1).numpy()
    return [material.clips[learned[number]].captions[0] for number in nearest]


def template_captions(
    material: CaptionMaterial, rows: IntArray, class_names: Sequence[str], *, above: float = 0.3, most: int = 3
) -> list[str]:
    """A baseline: "The sound of ..." with the names of the tagger's classes above a probability, or of the first."""
    encoder = material.encoder
    assert isinstance(encoder, MobileNetEncoder)  # A captioner that ships listens with one.
    with torch.inference_mode():
        logits: Tensor = encoder.trunk.classifier(torch.from_numpy(embeddings_of(material.sounds, encoder)[rows]))
    texts: list[str] = []
    for probabilities in logits.sigmoid().numpy():
        order = np.argsort(-probabilities)[:most]
        chosen = [number for number in order if probabilities[number] >= above] or [order[0]]
        texts.append("The sound of " + " and ".join(class_names[number].lower() for number in chosen))
    return texts


@dataclass(frozen=True, slots=True)
class LossRetrieval:
    """Retrieval by a captioner's cross-entropy: R@1, R@5, R@10.

    Attributes:
        text_to_audio: For each distinct caption the clips in the order of their loss.
        audio_to_text: For each clip the captions by raw loss; the best rank of one of its own counts.
        audio_to_text_scaled: The same after min-max scaling of each caption over the clips.
    """

    text_to_audio: tuple[float, float, float]
    audio_to_text: tuple[float, float, float]
    audio_to_text_scaled: tuple[float, float, float]


def retrieval_by_loss(
    decoder: CaptionDecoder,
    vocabulary: Vocabulary,
    material: CaptionMaterial,
    rows: IntArray,
    *,
    captions: int | None = None,
) -> LossRetrieval:
    """How well clips and captions find each other by the loss (Labbé et al. 2023, sections 2.3 and 4.2).

    Args:
        decoder: Of the captioner.
        vocabulary: Its words.
        material: The clips.
        rows: Numbers of the clips.
        captions: Only so many captions of each clip are asked for; None: all.
    """
    clips = [material.clips[row] for row in rows]
    queries = caption_queries(clips)
    kept = np.ones(len(queries.texts), dtype=bool)
    if captions is not None:
        first = {text for clip in clips for text in clip.captions[:captions]}
        kept = np.asarray([text in first for text in queries.texts])
    texts = [text for text, keep in zip(queries.texts, kept, strict=True) if keep]
    relevant = torch.from_numpy(np.ascontiguousarray(queries.carried[kept]))
    tokens = [vocabulary.encode(text) for text in texts]
    losses = score_captions(decoder, material.sounds.features(rows), tokens)
    found = relevant.gather(1, rank_audios(losses))
    back = relevant.T
    return LossRetrieval(
        _recalls(found),
        _recalls(back.gather(1, rank_captions(losses, scaled=False))),
        _recalls(back.gather(1, rank_captions(losses, scaled=True))),
    )


def _recalls(hits: Tensor) -> tuple[float, float, float]:
    asked = hits[hits.any(dim=1)]
    one, five, ten = (float(asked[:, :cut].any(dim=1).float().mean()) for cut in (1, 5, 10))
    return one, five, ten
