"""The published retrieval model as a whole: both encoders' outputs, both heads, and what compares them.

Shape legend: b sounds, q texts, t frames, w words, p parts, d joint embedding, s text embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from core.encoders.hierarchical import Hierarchy, cross_modal_interaction
from core.encoders.output import EncoderOutput
from core.encoders.pooling import TextAwarePooling
from core.encoders.retrieval_head import RetrievalAudioHead, RetrievalTextHead
from training.losses import create_loss
from training.retrieval.config import RetrievalRecipe
from training.retrieval.sound import SoundBatch, Sounds
from training.retrieval.wording import TextBatch, TextSide, Wording


@dataclass(frozen=True, slots=True)
class Heard:
    """Sounds in the joint space.

    Attributes:
        vector: (b, d) unit length.
        members: (b, t, d) frames, or None where the head takes one vector.
        mask: (b, t).
        segments: (b, p, d), with hierarchical interaction.
    """

    vector: Tensor
    members: Tensor | None = None
    mask: Tensor | None = None
    segments: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Worded:
    """Texts in the joint space.

    Attributes:
        vector: (q, d) unit length.
        sentence: (q, s) of the encoder.
        members: (q, w, d) words.
        mask: (q, w).
        phrases: (q, p, d), with hierarchical interaction.
    """

    vector: Tensor
    sentence: Tensor
    members: Tensor | None = None
    mask: Tensor | None = None
    phrases: Tensor | None = None


def audio_head_options(recipe: RetrievalRecipe, inputs: int, caption_inputs: int) -> dict[str, Any]:
    """What builds the audio head; goes onto the card of an exported model."""
    options: dict[str, Any] = {"inputs": inputs, **recipe.head.model_dump()}
    if recipe.hci is not None:
        options["parts"] = recipe.hci.parts
    if recipe.tap is not None:
        options["tap"] = recipe.tap.model_dump()
    if recipe.auxiliary is not None and recipe.auxiliary.interaction:
        options |= {
            "caption_inputs": caption_inputs,
            "caption_keys": recipe.auxiliary.keys,
            "heads": recipe.auxiliary.heads,
        }
    return options


def text_head_options(recipe: RetrievalRecipe, inputs: int) -> dict[str, Any]:
    """What builds the text head; goes onto the card of an exported model."""
    return {"inputs": inputs, **recipe.head.model_dump(exclude={"pooling"})}


class RetrievalModel(nn.Module):
    """Encoders that learn, heads, and losses with parameters of their own.

    Args:
        recipe: Says which.
        sounds: Of the run.
        wording: Of the run.
        caption_inputs: Length of a generated caption's embedding, where frames listen to one.
    """

    def __init__(self, recipe: RetrievalRecipe, sounds: Sounds, wording: Wording, caption_inputs: int) -> None:
        super().__init__()
        self._recipe = recipe
        self.sounds = sounds
        self.wording = wording
        self.audio_head = RetrievalAudioHead(**audio_head_options(recipe, sounds.dimension, caption_inputs))
        self.text_head = RetrievalTextHead(**text_head_options(recipe, wording.dimension))
        hci = recipe.hci
        dimension = recipe.head.dimension
        self.phrases = Hierarchy(dimension=dimension, parts=hci.parts) if hci is not None and hci.beta else None
        self.loss = create_loss(recipe.loss.name, **recipe.loss.options)

    @property
    def tap(self) -> TextAwarePooling | None:
        """Text-aware pooling, if texts pool."""
        return self.audio_head.tap

    @property
    def listens(self) -> bool:
        """Whether frames listen to a generated caption."""
        return self.audio_head.interaction is not None

    def hear(self, batch: SoundBatch, caption: TextSide | None = None) -> Heard:
        """Sounds, each with its generated caption where frames listen to one."""
        output: EncoderOutput = self.sounds(batch)
        head = self.audio_head
        if not head.needs_frames:
            return Heard(head(output.embedding))
        tokens, token_mask = None, None
        if self.listens and caption is not None:
            by_words = head.interaction is not None and head.interaction.keys == "words"
            tokens = caption.words if by_words else caption.sentence[:, None]
            token_mask = caption.word_mask if by_words else None
        mask = output.frame_mask
        members = head.members(output.frames, mask, tokens, token_mask)
        segments = None
        if head.levels is not None:
            segments, whole = head.levels(members, mask)
            return Heard(normalize(whole, dim=-1), members, mask, segments)
        return Heard(head.pooled(members, mask), members, mask, segments)

    def read(self, batch: TextBatch) -> Worded:
        """Texts."""
        side: TextSide = self.wording(batch)
        vector = self.text_head(side.sentence)
        if self._recipe.hci is None:
            return Worded(vector, side.sentence)
        members = self.text_head.members(side.words)
        phrases = None if self.phrases is None else self.phrases.to_parts(members, side.word_mask)
        return Worded(vector, side.sentence, members, side.word_mask, phrases)

    def scores(self, worded: Worded, heard: Heard, *, levels: bool = True) -> Tensor:
        """How well each text fits each sound, (q, b).

        Args:
            worded: Texts.
            heard: Sounds.
            levels: With hierarchical interaction: add the levels below clip and sentence.
        """
        hci = self._recipe.hci
        if self.tap is not None:
            assert heard.members is not None  # The recipe has been checked.
            return self.tap.similarity(heard.members, worded.vector, heard.mask)
        scores = worded.vector @ heard.vector.T
        if hci is None or not levels:
            return scores
        if hci.alpha:
            assert heard.members is not None
            assert worded.members is not None
            interaction = cross_modal_interaction(heard.members, worded.members, heard.mask, worded.mask)
            scores = scores + hci.alpha * interaction.T
        if hci.beta:
            assert heard.segments is not None
            assert worded.phrases is not None
            scores = scores + hci.beta * cross_modal_interaction(heard.segments, worded.phrases).T
        return scores

    def set_mean_caption(self, sentences: Tensor) -> None:
        """Tell the audio head what to listen to where there is no generated caption: (k, s) of the training sounds."""
        if self.listens:
            with torch.no_grad():
                self.audio_head.mean_caption.copy_(sentences.mean(dim=0, keepdim=True))

    def set_mean_text(self, vectors: Tensor) -> None:
        """Tell the audio head by which text to pool where there is none: (k, d) of the training captions."""
        if self.tap is not None:
            with torch.no_grad():
                self.audio_head.mean_text.copy_(vectors.mean(dim=0, keepdim=True))
