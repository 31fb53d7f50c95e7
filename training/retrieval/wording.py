"""The texts of a run: kept embeddings of a frozen encoder, or tokens through one that learns.

Shape legend: k texts, b batch, w tokens, s text embedding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from core.encoders.text import TextEncoder, TextOutput, TokenBatch
from core.types import FloatArray, IntArray
from training.data.cache import ArrayCache, content_key
from training.data.text_augmentation import TextAugmentation, change_caption
from training.retrieval.config import TextPart
from training.retrieval.encoder import AnyText, Places, digest, load_text
from training.retrieval.ragged import Ragged

_TEXTS_IN_SHARD = 4096
_TEXT_BATCH = 64


@dataclass(frozen=True, slots=True)
class TextBatch:
    """What a batch's texts are made from: kept vectors, or tokens.

    Attributes:
        sentence: (b, s) kept embeddings, or None.
        words: (b, w, s) kept tokens without the special ones, or None.
        word_mask: (b, w) of them.
        tokens: For an encoder that learns, or None.
    """

    sentence: Tensor | None = None
    words: Tensor | None = None
    word_mask: Tensor | None = None
    tokens: TokenBatch | None = None


@dataclass(frozen=True, slots=True)
class TextSide:
    """A batch through the text encoder.

    Attributes:
        sentence: (b, s).
        words: (b, w, s), or the sentence as the only one where words are not kept.
        word_mask: (b, w) True for words; special tokens and padding are none.
    """

    sentence: Tensor
    words: Tensor
    word_mask: Tensor


class Wording(nn.Module, ABC):
    """Texts by number, and from a batch of them to a `TextSide`."""

    dimension: int
    texts: tuple[str, ...]

    @abstractmethod
    def batch(self, rows: IntArray, rng: np.random.Generator | None = None) -> TextBatch:
        """On the CPU; with `rng` as for training."""

    @abstractmethod
    def forward(self, batch: TextBatch) -> TextSide:
        """Encode a batch."""

    @abstractmethod
    def encoder(self) -> AnyText:
        """The text encoder as it is now, for export."""


def open_wording(part: TextPart, texts: Sequence[str], places: Places, *, words: bool) -> Wording:
    """The texts of a recipe.

    Raises:
        KnownError: The encoder cannot be read.
    """
    encoder = load_text(part, places.weights)
    if part.tuned == "all":
        assert isinstance(encoder, TextEncoder)  # The recipe has been checked.
        return LiveWording(encoder, texts, augmentation=part.augmentation)
    return KeptWording(encoder, texts, places, words=words)


def _side(output: TextOutput) -> TextSide:
    # A text of special tokens alone (an empty one) still needs a word.
    mask = torch.where(output.word_mask.any(dim=1, keepdim=True), output.word_mask, output.token_mask)
    return TextSide(output.embedding, output.tokens, mask)


@torch.inference_mode()
def encode_texts(encoder: AnyText, texts: Sequence[str], *, words: bool) -> dict[str, FloatArray]:
    """Embeddings (k, s) and, one behind the other, words (r, s) with their counts (k,)."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    sentences: list[FloatArray] = []
    members: list[FloatArray] = []
    for begin in range(0, len(order), _TEXT_BATCH):
        side = _side(encoder.encode(encoder.tokenise([texts[row] for row in order[begin : begin + _TEXT_BATCH]])))
        sentences.append(side.sentence.numpy())
        members.extend(row[mask].numpy() for row, mask in zip(side.words, side.word_mask, strict=True))
    back = np.argsort(order)
    made = {"sentence": np.concatenate(sentences)[back]}
    if words:
        own = [members[row] for row in back]
        made["words"] = np.concatenate(own)
        made["counts"] = np.asarray([len(rows) for rows in own], dtype=np.float32)
    return made


class KeptWording(Wording):
    """A frozen encoder's embeddings, and its words where they are needed."""

    def __init__(self, encoder: AnyText, texts: Sequence[str], places: Places, *, words: bool) -> None:
        super().__init__()
        self._encoder = [encoder.eval().requires_grad_(False)]
        self.dimension = encoder.dimension
        self.texts = tuple(texts)
        # The same texts in the same order, whatever recipe asks, are found again; a new one spoils its own shard only.
        cache, key = ArrayCache(places.cache), digest(encoder)
        shards = [texts[begin : begin + _TEXTS_IN_SHARD] for begin in range(0, len(texts), _TEXTS_IN_SHARD)]
        parts = [
            cache.get(
                content_key(kind="words" if words else "sentences", encoder=key, texts=list(shard)),
                lambda shard=shard: encode_texts(encoder, shard, words=words),  # type: ignore[misc]
            )
            for shard in track(shards, description="texts", transient=True)
        ]
        self._sentence = torch.from_numpy(np.concatenate([part["sentence"] for part in parts]))
        self._words = Ragged.join([(part["words"], part["counts"]) for part in parts]) if words else None

    def batch(self, rows: IntArray, rng: np.random.Generator | None = None) -> TextBatch:
        """See `Wording`."""
        words, mask = (None, None) if self._words is None else self._words.padded(rows)
        return TextBatch(self._sentence[rows], words, mask)

    def forward(self, batch: TextBatch) -> TextSide:
        """See `Wording`."""
        assert batch.sentence is not None  # Written by `batch`.
        words, mask = batch.words, batch.word_mask
        if words is None or mask is None:
            words = batch.sentence[:, None]
            mask = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
        return TextSide(batch.sentence, words, mask)

    def encoder(self) -> AnyText:
        """See `Wording`."""
        return self._encoder[0]


class LiveWording(Wording):
    """An encoder that learns, from captions that may be changed a little each time."""

    def __init__(
        self, encoder: TextEncoder, texts: Sequence[str], *, augmentation: TextAugmentation | None = None
    ) -> None:
        super().__init__()
        self._augmentation = augmentation
        self.network = encoder
        self.dimension = encoder.dimension
        self.texts = tuple(texts)

    def batch(self, rows: IntArray, rng: np.random.Generator | None = None) -> TextBatch:
        """See `Wording`."""
        texts = [self.texts[row] for row in rows]
        if rng is not None and self._augmentation is not None:
            texts = [change_caption(text, rng, self._augmentation) for text in texts]
        return TextBatch(tokens=self.network.tokenise(texts))

    def forward(self, batch: TextBatch) -> TextSide:
        """See `Wording`."""
        assert batch.tokens is not None  # Written by `batch`.
        return _side(self.network.encode(batch.tokens))

    def encoder(self) -> AnyText:
        """See `Wording`."""
        return self.network
