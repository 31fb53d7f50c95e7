"""A dual encoder small enough for unit tests, and EfficientAT with reproducible parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from reference_parameters import draw_parameter
from torch import Tensor

from core.encoders.assembly import DualEncoderParts
from core.encoders.bert import BertConfig, SentenceTower
from core.encoders.efficientat import BLOCKS, MobileNetEncoder
from core.encoders.profile_head import ProfileAudioHead, ProfileTextHead

WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "heavy",
    "wooden",
    "door",
    "slams",
    "a",
    "dog",
    "barks",
    "rain",
    "on",
    "tin",
)
SENTENCE = 48
DIMENSION = 48
AUDIO_HEAD = {"dimension": DIMENSION, "hidden": 32}
TEXT_HEAD = {"dimension": DIMENSION, "sentence_dimension": SENTENCE, "hidden": 32}


def official_name(own: str) -> str:
    """The published name of one of our EfficientAT parameters."""
    part, *rest = own.split(".")
    if part == "stem":
        return ".".join(["features.0", *rest])
    if part == "last":
        return ".".join([f"features.{len(BLOCKS) + 1}", *rest])
    if part == "classifier":
        return ".".join(["classifier", str(int(rest[0]) + 2), *rest[1:]])
    index, name, *tail = rest
    block = BLOCKS[int(index)]
    layers = ([] if index == "0" else ["expand"]) + ["depthwise"] + ["excitation"] * block.excited + ["project"]
    inner = ["conc_se_layers.0"] if name == "excitation" else []
    return ".".join(["features", str(int(index) + 1), "block", str(layers.index(name)), *inner, *tail])


def drawn_encoder(width: float, **options: Any) -> MobileNetEncoder:
    """EfficientAT with drawn parameters, in evaluation mode."""
    encoder = MobileNetEncoder(width=width, **options)
    names = {official_name(own): tuple(value.shape) for own, value in encoder.trunk.state_dict().items()}
    encoder.load_official({name: draw_parameter(name, shape) for name, shape in names.items()})
    return encoder.eval()


def noise(samples: int, *, batch: int = 1, seed: int = 1) -> Tensor:
    """(batch, samples) of the noise that the golden values were computed from."""
    return torch.from_numpy((0.1 * np.random.default_rng(seed).standard_normal((batch, samples))).astype(np.float32))


def small_tokenizer() -> bytes:
    """A tokenizer over `WORDS`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer.to_str().encode()


def card_fields() -> dict[str, Any]:
    """A card for `small_parts`."""
    fit = {"score": 4.0, "surprise": 1.0, "bias": -3.0}
    bert = {"vocabulary": len(WORDS), "width": SENTENCE, "layers": 2, "heads": 4, "hidden": 64, "positions": 32}
    return {
        "name": "earshot-small",
        "version": "1.2.3",
        "description": "For tests.",
        "origin": "Drawn at random.",
        "data": [{"name": "nothing", "licence": "CC0-1.0", "hours": 0.0}],
        "licence": "MIT",
        "architecture": {
            "trunk": {"name": "mn04", "options": {}},
            "text_tower": {"name": "minilm-l6", "options": bert},
            "audio_head": {"name": "profile", "options": AUDIO_HEAD},
            "text_head": {"name": "profile", "options": TEXT_HEAD},
        },
        "sample_rate_hz": 32000,
        "quality": {"map_at_10": {"value": 0.5, "command": "python -m training evaluate"}},
        "calibration": {"text": fit, "clip": fit},
        "seed": 7,
        "command": "python -m training run",
    }


def small_parts(encoder: MobileNetEncoder | None = None) -> DualEncoderParts:
    """A dual encoder with a small text tower; its trunk is drawn, or the one given."""
    options = card_fields()["architecture"]["text_tower"]["options"]
    torch.manual_seed(3)
    tower = SentenceTower(BertConfig(**options)).eval()
    audio_head, text_head = ProfileAudioHead(**AUDIO_HEAD).eval(), ProfileTextHead(**TEXT_HEAD).eval()
    basis = torch.randn(527, DIMENSION) * 527**-0.5
    audio_head.set_start(basis=basis, mean=torch.zeros(384 + 527), scale=torch.ones(384 + 527))
    text_head.set_start(basis=basis, class_names=torch.randn(527, SENTENCE))
    for head in (audio_head, text_head):
        torch.nn.init.normal_(head.residual[3].weight, std=0.05)
    background = torch.nn.functional.normalize(torch.randn(16, DIMENSION), dim=1)
    trunk = (encoder or drawn_encoder(0.4)).trunk
    return DualEncoderParts(trunk, audio_head, tower, text_head, small_tokenizer(), background)
