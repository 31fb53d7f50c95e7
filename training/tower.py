"""The frozen towers that heads are trained on: from their published files, or out of a model folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from core.encoders.bert import BertConfig, SentenceTower
from core.encoders.blended_head import BlendedTextHead
from core.encoders.card import AUDIO_FILE, TEXT_FILE, TOKENIZER_FILE, read_card
from core.encoders.efficientat import MobileNetEncoder, MobileNetTrunk
from core.encoders.head import create_text_head
from core.encoders.profile_head import ProfileTextHead
from core.encoders.registry import create_encoder
from core.encoders.sentence import SentenceTokenizer, create_text_tower
from core.encoders.weights import unpack_weights
from core.errors import ModelError

TEXT_TOWER = "minilm-l6"


@dataclass(frozen=True, slots=True)
class Towers:
    """Both towers, in evaluation mode, on the CPU.

    Attributes:
        trunk: Audio encoder without its front-end.
        text: Sentence encoder.
        tokenizer: The content of its `tokenizer.json`.
        trunk_digest: SHA-256 of the trunk's weights.
        text_digest: SHA-256 of the sentence encoder's weights and tokenizer.
    """

    trunk: MobileNetTrunk
    text: SentenceTower
    tokenizer: bytes
    trunk_digest: str
    text_digest: str


def published_towers(
    trunk_name: str, trunk_file: Path, sentence_folder: Path, *, options: Mapping[str, Any] | None = None
) -> Towers:
    """Towers from the files that their authors published.

    The weights that will be stored in half precision are rounded to it: so training sees what the program will see.

    Args:
        trunk_name: In the registry of encoders, one of the EfficientAT family.
        trunk_file: Its checkpoint (a `.pt` with tensors alone).
        sentence_folder: With `model.safetensors` and `tokenizer.json` of all-MiniLM-L6-v2.
        options: Of the trunk: what a summary describes (see `core.encoders.efficientat.MobileNetTrunk`).

    Raises:
        ModelError: A file is missing or holds something else.
    """
    trunk = _create_trunk(trunk_name, **(options or {}))
    text = create_text_tower(TEXT_TOWER)
    try:
        trunk.load_official(torch.load(trunk_file, map_location="cpu", weights_only=True))
        text.load_official(load_file(sentence_folder / "model.safetensors"))
        tokenizer = (sentence_folder / "tokenizer.json").read_bytes()
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The published weights cannot be read: {error}.", "Give their places with --trunk and --sentences."
        ) from error
    round_as_stored(trunk, text)
    return join_towers(trunk, text, tokenizer)


def round_as_stored(trunk: MobileNetTrunk, text: SentenceTower) -> None:
    """Round the towers' weights to what a model folder keeps of them (see `core.encoders.assembly`)."""
    text.half().float()
    with torch.no_grad():
        for weight in trunk.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half().float())


def model_towers(folder: Path) -> tuple[Towers, ProfileTextHead | BlendedTextHead]:
    """The towers inside a model folder, and the head after its text tower.

    Raises:
        ModelError: The folder is no model with these towers.
    """
    card = read_card(folder)
    trunk = _create_trunk(card.architecture.trunk.name, **card.architecture.trunk.options)
    text = create_text_tower(card.architecture.text_tower.name, **card.architecture.text_tower.options)
    try:
        audio_state, text_state = (unpack_weights((folder / name).read_bytes()) for name in (AUDIO_FILE, TEXT_FILE))
        trunk.load_state_dict(_under(audio_state, "trunk."))
        text.load_state_dict(_under(text_state, "tower."))
        head = create_text_head(card.architecture.text_head.name, **card.architecture.text_head.options)
        head.load_state_dict(_under(text_state, "head."))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"The model in {folder} cannot be read: {error!r}.") from error
    if not isinstance(head, ProfileTextHead | BlendedTextHead):
        raise ModelError(f"The model in {folder} knows no class names.", "Choose one like earshot-base.")
    return join_towers(trunk, text, (folder / TOKENIZER_FILE).read_bytes()), head.eval()


def text_tower_options(tower: SentenceTower) -> dict[str, Any]:
    """In what a text tower differs from the published one; goes onto the card."""
    usual = asdict(BertConfig())
    return {name: value for name, value in asdict(tower.bert.config).items() if value != usual[name]}


def _create_trunk(name: str, **options: Any) -> MobileNetTrunk:
    encoder = create_encoder(name, **options)
    if not isinstance(encoder, MobileNetEncoder):
        raise ModelError(f"{name} has no AudioSet classes to start from.", "Choose mn04, mn10 or mn40.")
    return encoder.trunk


def _under(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def join_towers(trunk: MobileNetTrunk, text: SentenceTower, tokenizer: bytes) -> Towers:
    """Freeze two towers and say by their digests which they are.

    Raises:
        ModelError: The tokenizer is none.
    """
    for tower in (trunk, text):
        tower.eval().requires_grad_(False)
    SentenceTokenizer(tokenizer)  # Says so now if it is none.
    return Towers(trunk, text, tokenizer, _digest(trunk), _digest(text, tokenizer))


def _digest(module: nn.Module, *more: bytes) -> str:
    state = {name: value.float().contiguous() for name, value in module.state_dict().items()}
    return hashlib.sha256(b"".join([save(dict(sorted(state.items()))), *more])).hexdigest()
