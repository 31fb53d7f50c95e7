"""A dual encoder from its card and files, and the files from a trained one.

`audio.safetensors` holds `trunk.*` and `head.*`, matrices and kernels in float16 and the rest in float32,
`text.safetensors` `tower.*` and `head.*` in float16, `background.safetensors` `embeddings` and, where there is one,
`example_turn` in float16; large matrices may be kept in eight bits (`core.encoders.weights`).

The model that ships runs on a log-mel that is computed once for a whole file, with its norms folded. Every other audio
encoder of the registry works too, on samples, with its own front-end.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from core.audio.frontend import PASST_LOG_MEL
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
from core.encoders.half_linear import halve_linears
from core.encoders.head import create_audio_head, create_text_head
from core.encoders.registry import create_encoder, encoder_config
from core.encoders.runner import Device, choose_device, create_runner
from core.encoders.sentence import SentenceTokenizer, create_text_tower
from core.encoders.waveform import SampleFrames, WaveformRunner
from core.encoders.weights import pack_weights, unpack_weights
from core.errors import ModelError
from core.traced import record

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
    rate_hz = encoder_config(card.architecture.trunk.name).sample_rate_hz
    if card.sample_rate_hz != rate_hz:
        raise _mismatch(card, f"its trunk takes {rate_hz} Hz, not {card.sample_rate_hz}")
    chosen = choose_device(device)
    if _takes_waveforms(card):
        frames = SampleFrames(rate_hz)
        return TorchDualEncoder(
            card,
            device=chosen,
            front_end=frames,
            audio=lambda: _waveform_half(card, read, chosen, frames),
            text=lambda: _text_half(card, read),
        )
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
    example = torch.zeros(1, trunk.summary_dimension), torch.zeros(1, trunk.classes)
    _check_head(card, head, *example)
    return AudioHalf(
        create_runner(make_trunk, device),
        record(head, *example),
        shortest_frames=round(card.shortest_s * PASST_LOG_MEL.sample_rate_hz / PASST_LOG_MEL.hop_samples),
        silence=PASST_LOG_MEL.silence,
    )


def _takes_waveforms(card: ModelCard) -> bool:
    """Whether the encoder's own front-end is needed: all but a MobileNet whose head takes one vector."""
    trunk, head = card.architecture.trunk, card.architecture.audio_head
    return not trunk.name.startswith("mn") or head.options.get("pooling", "clip") != "clip"


def _waveform_half(card: ModelCard, read: ReadFile, device: Literal["cpu", "cuda"], frames: SampleFrames) -> AudioHalf:
    state = _tensors(card, AUDIO_FILE, read(AUDIO_FILE))
    # Front-ends compute tables when they are built, which the meta device would leave without values.
    encoder = _filled(card, card.architecture.trunk, create_encoder, state, "trunk.", device="cpu")
    head = _filled(card, card.architecture.audio_head, create_audio_head, state, "head.")
    runner = WaveformRunner(encoder, device)
    _check_head(card, head, *runner([np.zeros((10, frames.hop_samples), dtype=np.float32)]))
    return AudioHalf(runner, head, shortest_frames=round(card.shortest_s * card.sample_rate_hz / frames.hop_samples))


def _text_half(card: ModelCard, read: ReadFile) -> TextHalf:
    state = _tensors(card, TEXT_FILE, read(TEXT_FILE))
    tower = _filled(card, card.architecture.text_tower, create_text_tower, state, "tower.")
    head = _filled(card, card.architecture.text_head, create_text_head, state, "head.")
    _check_head(card, head, torch.zeros(1, tower.dimension))
    halve_linears(tower)
    tokenizer = SentenceTokenizer(
        read(TOKENIZER_FILE), longest_tokens=tower.longest_tokens, prepare=getattr(tower, "prepare", None)
    )
    return TextHalf(tokenizer, tower, head)


def _create_trunk(name: str, **options: Any) -> MobileNetTrunk:
    encoder = create_encoder(name, **options)
    if not isinstance(encoder, MobileNetEncoder):
        raise ModelError(f"{name} cannot be the trunk of a dual encoder.", "Choose mn04, mn10 or mn40.")
    return encoder.trunk


def _tensors(card: ModelCard, name: str, content: bytes) -> dict[str, Tensor]:
    """The tensors of a file, in float32 where they are floating point."""
    try:
        return unpack_weights(content)
    except ValueError as error:
        raise _mismatch(card, f"{name} cannot be read ({error})") from error


def _filled(
    card: ModelCard,
    spec: ModuleSpec,
    create: Callable[..., _Module],
    state: Mapping[str, Tensor],
    prefix: str,
    *,
    device: str = "meta",
) -> _Module:
    """The module that a card names, with its part of a state, in evaluation mode."""
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    try:
        # Nothing is allocated or drawn for parameters that are replaced at once.
        with torch.device(device):
            module = create(spec.name, **spec.options)
        module.load_state_dict(own, assign=True)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _mismatch(card, f"{spec.name} does not fit its weights ({error})") from error
    return module.eval().requires_grad_(False)


def _check_head(card: ModelCard, head: nn.Module, *inputs: Tensor | None) -> None:
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
        trunk: Of the audio encoder; a whole encoder with its front-end, where the head needs frames or the encoder is
            no MobileNet.
        audio_head: After it.
        text_tower: Gives sentence embeddings.
        text_head: After it.
        tokenizer: The content of `tokenizer.json`.
        background: (k, d) embeddings of everyday sounds, of unit length (see `core.encoders.relevance`).
        example_turn: (d, d) by which examples are turned; None: it follows from the background.
        eight_bits: Names of matrices, as the files have them, that are kept in eight bits.
    """

    trunk: nn.Module
    audio_head: nn.Module
    text_tower: nn.Module
    text_head: nn.Module
    tokenizer: bytes
    background: Tensor
    example_turn: Tensor | None = None
    eight_bits: Collection[str] = ()


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
    pack = partial(pack_weights, eight_bits=parts.eight_bits)
    contents = {
        # Vectors (norms, biases) are few and their small numbers matter.
        AUDIO_FILE: pack(_state(trunk=parts.trunk, head=parts.audio_head), least_dimensions=2),
        TEXT_FILE: pack(_state(tower=parts.text_tower, head=parts.text_head)),
        TOKENIZER_FILE: parts.tokenizer,
        BACKGROUND_FILE: pack_weights(_background(parts)),
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


def _background(parts: DualEncoderParts) -> dict[str, Tensor]:
    own = {"embeddings": parts.background, "example_turn": parts.example_turn}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in own.items() if tensor is not None}


def _state(**modules: nn.Module) -> dict[str, Tensor]:
    return {
        f"{prefix}.{name}": value.detach().cpu().contiguous()
        for prefix, module in modules.items()
        for name, value in module.state_dict().items()
    }
