"""The encoders of a recipe: built, and filled from where its checkpoints lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from core.config import RESOURCES
from core.encoders.bert import SentenceTower
from core.encoders.card import TOKENIZER_FILE
from core.encoders.efficientat import MobileNetEncoder
from core.encoders.encoder_card import WEIGHTS_NAME, load_encoder
from core.encoders.registry import create_encoder
from core.encoders.sentence import SentenceTokenizer
from core.encoders.text import TextEncoder, TextOutput, TokenBatch, load_text_encoder, text_encoder_config
from core.errors import ModelError
from training.retrieval.config import SHIPPED, AudioPart, TextPart
from training.tower import model_towers


@dataclass(frozen=True, slots=True)
class Places:
    """Where the material of a run lies.

    Attributes:
        data: Folder of data sets, or of one.
        weights: Folder of published checkpoints.
        cache: Where features are kept between runs.
        runs: Folder in which runs lie side by side.
    """

    data: Path
    weights: Path
    cache: Path
    runs: Path


def load_audio_encoder(part: AudioPart, weights: Path) -> nn.Module:
    """The audio encoder of a recipe, in evaluation mode.

    Raises:
        ModelError: Its checkpoint is missing or of another architecture.
    """
    if part.checkpoint == SHIPPED:
        towers, _ = model_towers(RESOURCES / "models" / SHIPPED)
        encoder = create_encoder(part.encoder, **part.options)
        if not isinstance(encoder, MobileNetEncoder) or encoder.dimension != towers.trunk.dimension:
            raise ModelError(f"{SHIPPED} holds no {part.encoder}.", "Give the published file with audio.checkpoint.")
        encoder.trunk.load_state_dict(towers.trunk.state_dict())
        return encoder.eval()
    if not part.checkpoint:
        return create_encoder(part.encoder, **part.options).eval()
    path = weights / part.checkpoint
    if (path / WEIGHTS_NAME).is_file():
        imported, card = load_encoder(path)
        if card.architecture != part.encoder:
            raise ModelError(f"{path} holds {card.architecture} and not {part.encoder}.")
        state: Any = imported.state_dict()
        encoder = create_encoder(part.encoder, **part.options)
        encoder.load_state_dict(state)
        return encoder.eval()
    encoder = create_encoder(part.encoder, **part.options)
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"The checkpoint of {part.encoder} cannot be read: {error}.",
            f"Put {part.checkpoint} into the folder of --weights, or set audio.checkpoint.",
        ) from error
    for key in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    encoder.load_official(state)  # type: ignore[operator]
    return encoder.eval()


class BundledText(nn.Module):
    """The sentence encoder of the model that ships, with the interface of `core.encoders.text.TextEncoder`.

    Args:
        tower: In evaluation mode.
        tokenizer: The content of its `tokenizer.json`.
    """

    def __init__(self, tower: SentenceTower, tokenizer: bytes) -> None:
        super().__init__()
        self.tower = tower
        self.tokenizer = tokenizer
        self._tokenise = SentenceTokenizer(tokenizer)

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self.tower.dimension

    def tokenise(self, texts: Sequence[str]) -> TokenBatch:
        """Texts as token numbers; the first and the last of each are special."""
        ids, mask = self._tokenise(texts)
        words = mask.clone()
        words[:, 0] = False
        words[torch.arange(len(words)), mask.sum(dim=1) - 1] = False
        return TokenBatch(ids, mask, words)

    def encode(self, batch: TokenBatch) -> TextOutput:
        """See `core.encoders.text.TextEncoder.encode`."""
        tokens = self.tower.bert(batch.ids, batch.token_mask).masked_fill(~batch.token_mask[..., None], 0.0)
        embedding = tokens.sum(dim=1) / batch.token_mask.sum(dim=1, keepdim=True)
        return TextOutput(embedding, tokens, batch.token_mask, batch.word_mask)


AnyText = BundledText | TextEncoder


def load_text(part: TextPart, weights: Path) -> AnyText:
    """The text encoder of a recipe, in evaluation mode.

    Raises:
        ModelError: Its folder is missing or of another model.
    """
    if part.folder == SHIPPED:
        towers, _ = model_towers(RESOURCES / "models" / SHIPPED)
        return BundledText(towers.text, towers.tokenizer).eval()
    config = text_encoder_config(part.encoder)
    config = replace(
        config,
        dimension=config.dimension if part.dimension is None else part.dimension,
        layers=config.layers if part.layers is None else part.layers,
    )
    return load_text_encoder(config, weights / part.folder, dropout=part.dropout).eval()


def tokenizer_definition(part: TextPart, weights: Path) -> bytes:
    """The `tokenizer.json` of a recipe's text encoder.

    Raises:
        ModelError: The folder has none.
    """
    folder = RESOURCES / "models" / SHIPPED if part.folder == SHIPPED else weights / part.folder
    try:
        return (folder / TOKENIZER_FILE).read_bytes()
    except OSError as error:
        raise ModelError(
            f"There is no {TOKENIZER_FILE} in {folder}, which an exported model needs.",
            "Save the tokenizer there with transformers' save_pretrained.",
        ) from error


def digest(module: nn.Module, **more: object) -> str:
    """SHA-256 of a module's weights and what else decides what it computes."""
    state: dict[str, Tensor] = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    told = json.dumps(more, sort_keys=True, default=str).encode()
    # Buffers may share memory, which the format refuses.
    return hashlib.sha256(save({name: value.clone() for name, value in sorted(state.items())}) + told).hexdigest()
