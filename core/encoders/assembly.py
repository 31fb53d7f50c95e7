"""A dual encoder from its card and files, and the files from a trained one.

`audio.safetensors` holds `trunk.*` and `head.*` in float32, `text.safetensors` `tower.*` and `head.*` in float16,
`background.safetensors` `embeddings` in float16.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from core.audio.frontend import PASST_LOG_MEL
from core.encoders.bert import SentenceTower
from core.encoders.card import (
    AUDIO_FILE,
    BACKGROUND_FILE,
    CARD_FILE,
    TEXT_FILE,
    TOKENIZER_FILE,
    ModelCard,
    ModuleSpec,
)
from core.encoders.dual import AudioHalf, TextHalf, TorchDualEncoder
from core.encoders.efficientat import MobileNetEncoder, MobileNetTrunk
from core.encoders.head import create_audio_head, create_text_head
from core.encoders.registry import create_encoder
from core.encoders.runner import Device, choose_device, create_runner
from core.encoders.sentence import SentenceTokenizer, create_text_tower
from core.errors import ModelError

_WAY_OUT = "Install the model again, or choose another."
_Module = TypeVar("_Module", bound=nn.Module)
ReadFile = Callable[[str], bytes]


def assemble(card: ModelCard, *, read: ReadFile, device: Device) -> TorchDualEncoder:
    """A dual encoder whose halves are read when they are first needed.

    Args:
        card: The model's card.
        read: Gives a file of the model by its name; may raise ModelError.
        device: For the audio half.

    Raises:
        ModelError: The card asks for another sample rate than its trunk's, or CUDA was demanded and there is none.
    """
    if card.sample_rate_hz != PASST_LOG_MEL.sample_rate_hz:
        raise _mismatch(card, f"its trunk takes {PASST_LOG_MEL.sample_rate_hz} Hz, not {card.sample_rate_hz}")
    chosen = choose_device(device)
    return TorchDualEncoder(
        card,
        device=chosen,
        front_end=PASST_LOG_MEL,
        audio=lambda: _audio_half(card, read, chosen),
        text=lambda: _text_half(card, read),
    )


def _audio_half(card: ModelCard, read: ReadFile, device: Literal["cpu", "cuda"]) -> AudioHalf:
    state = _tensors(card, AUDIO_FILE, read(AUDIO_FILE))

    def make_trunk() -> MobileNetTrunk:
        return _filled(card, card.architecture.trunk, _create_trunk, state, "trunk.")

    head = _filled(card, card.architecture.audio_head, create_audio_head, state, "head.")
    trunk = make_trunk()
    _check_head(card, head, torch.zeros(1, trunk.dimension), torch.zeros(1, trunk.classes))
    return AudioHalf(
        create_runner(make_trunk, device),
        head,
        shortest_frames=round(card.shortest_s * PASST_LOG_MEL.sample_rate_hz / PASST_LOG_MEL.hop_samples),
        silence=PASST_LOG_MEL.silence,
    )


def _text_half(card: ModelCard, read: ReadFile) -> TextHalf:
    state = _tensors(card, TEXT_FILE, read(TEXT_FILE))
    tower = _filled(card, card.architecture.text_tower, create_text_tower, state, "tower.")
    head = _filled(card, card.architecture.text_head, create_text_head, state, "head.")
    _check_head(card, head, torch.zeros(1, tower.dimension))
    return TextHalf(SentenceTokenizer(read(TOKENIZER_FILE), longest_tokens=tower.longest_tokens), tower, head)


def _create_trunk(name: str, **options: Any) -> MobileNetTrunk:
    encoder = create_encoder(name, **options)
    if not isinstance(encoder, MobileNetEncoder):
        raise ModelError(f"{name} cannot be the trunk of a dual encoder.", "Choose mn04, mn10 or mn40.")
    return encoder.trunk


def _tensors(card: ModelCard, name: str, content: bytes) -> dict[str, Tensor]:
    """The tensors of a file, in float32 where they are floating point."""
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise _mismatch(card, f"{name} cannot be read ({error})") from error
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def _filled(
    card: ModelCard,
    spec: ModuleSpec,
    create: Callable[..., _Module],
    state: Mapping[str, Tensor],
    prefix: str,
) -> _Module:
    """The module that a card names, with its part of a state, in evaluation mode."""
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    try:
        # Nothing is allocated or drawn for parameters that are replaced at once.
        with torch.device("meta"):
            module = create(spec.name, **spec.options)
        module.load_state_dict(own, assign=True)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _mismatch(card, f"{spec.name} does not fit its weights ({error})") from error
    return module.eval().requires_grad_(False)


def _check_head(card: ModelCard, head: nn.Module, *inputs: Tensor) -> None:
    try:
        dimension = head(*inputs).shape[-1]
    except RuntimeError as error:
        raise _mismatch(card, f"its head does not fit what comes before it ({error})") from error
    if dimension != card.dimension:
        raise _mismatch(card, f"its head gives {dimension} dimensions and not {card.dimension}")


def _mismatch(card: ModelCard, what: str) -> ModelError:
    # torch lists every parameter on a line of its own.
    said = textwrap.shorten(what, 300, placeholder=" ...")
    return ModelError(f"The model {card.id} is not what its card says: {said}.", _WAY_OUT)


@dataclass(frozen=True, slots=True)
class DualEncoderParts:
    """What training hands over.

    Attributes:
        trunk: Of the audio encoder.
        audio_head: After it.
        text_tower: Gives sentence embeddings.
        text_head: After it.
        tokenizer: The content of `tokenizer.json`.
        background: (k, d) embeddings of everyday sounds, of unit length (see `core.encoders.relevance`).
    """

    trunk: MobileNetTrunk
    audio_head: nn.Module
    text_tower: SentenceTower
    text_head: nn.Module
    tokenizer: bytes
    background: Tensor


def save_dual_encoder(folder: Path, parts: DualEncoderParts, card_fields: Mapping[str, Any]) -> ModelCard:
    """Write a model folder that `load_dual_encoder` opens.

    The card is written last: a folder that was left half written has none, or one whose checksums tell.

    Args:
        folder: Is made where it is missing; files of the same names are replaced.
        parts: The trained modules.
        card_fields: Of `ModelCard`, except `format`, `id`, `dimension` and `files`, which follow from the rest.

    Raises:
        pydantic.ValidationError: The fields are no card.
        ValueError: A weight does not fit into half precision.
    """
    contents = {
        AUDIO_FILE: save(_state(trunk=parts.trunk, head=parts.audio_head)),
        TEXT_FILE: save(_halved(_state(tower=parts.text_tower, head=parts.text_head))),
        TOKENIZER_FILE: parts.tokenizer,
        BACKGROUND_FILE: save(_halved({"embeddings": parts.background.detach().cpu().contiguous()})),
    }
    card = ModelCard.model_validate(
        {
            **card_fields,
            "id": f"{card_fields['name']}-{card_fields['version']}",
            "dimension": parts.background.shape[1],
            "files": {
                name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in contents.items()
            },
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card


def _state(**modules: nn.Module) -> dict[str, Tensor]:
    return {
        f"{prefix}.{name}": value.detach().cpu().contiguous()
        for prefix, module in modules.items()
        for name, value in module.state_dict().items()
    }


def _halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    halved: dict[str, Tensor] = {}
    for name, value in state.items():
        halved[name] = value.half() if value.is_floating_point() else value
        if not torch.isfinite(halved[name]).all():
            raise ValueError(f"{name} does not fit into half precision")
    return halved
