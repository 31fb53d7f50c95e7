"""A captioner small enough for unit tests, with weights drawn at random."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from small_model import DIMENSION, drawn_encoder, small_parts
from torch import nn

from core.captioning.card import CARD_FILE, WEIGHTS_FILE, WORDS_FILE, CaptionerCard
from core.captioning.memory import CaptionMemory
from core.captioning.prefixed import PrefixedCaptionDecoder
from core.captioning.vocabulary import EOS

WORDS = ("a", "dog", "barks", "the", "sound", "of", "rain", "falls", "and", "door", "slams")
KINDS = ("animals", "weather")
DECODER = {
    "vocabulary_size": len(WORDS) + 4,
    "feature_dimension": 384,
    "clip_dimension": DIMENSION,
    "prefix": 2,
    "stretches": 3,
    "heads": 2,
    "layers": 1,
    "width": 16,
    "hidden": 32,
}


def small_decoder(seed: int = 0) -> PrefixedCaptionDecoder:
    """With opinions sharp enough to be worth a search."""
    torch.manual_seed(seed)
    decoder = PrefixedCaptionDecoder(**DECODER)
    with torch.no_grad():
        decoder.classifier.weight.mul_(4.0)
        decoder.classifier.bias[EOS] += 2.0
    return decoder.eval()


def captioner_fields(contents: dict[str, bytes]) -> dict[str, Any]:
    """A card for these files."""
    return {
        "id": "small-captioner-1.0.0",
        "name": "small-captioner",
        "version": "1.0.0",
        "description": "For tests.",
        "origin": "Drawn at random.",
        "licence": "MIT",
        "data": [{"name": "nothing", "licence": "CC0-1.0"}],
        "architecture": {
            "trunk": {"name": "mn04"},
            "audio_head": {"name": "profile", "options": {"dimension": DIMENSION, "hidden": 32}},
            "decoder": {"name": "prefixed-transformer", "options": DECODER},
        },
        "sample_rate_hz": 32000,
        "window_s": 2.0,
        "shortest_s": 1.0,
        "writing": {"beams": 3, "shortest": 3, "longest": 8},
        "confidence": {"log_probability": 1.0, "agreement": 1.0, "kind": 1.0, "bias": 0.0, "threshold": 0.5},
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
        "quality": {},
        "seed": 0,
        "command": "none",
    }


def save_small_captioner(folder: Path, *, memory: CaptionMemory | None = None, **changed: Any) -> Path:
    """Write a captioner's folder; it can have a memory, and fields of its card can be changed."""
    encoder = drawn_encoder(0.4)
    torch.manual_seed(5)
    parts: dict[str, nn.Module] = {
        "trunk": encoder.trunk,
        "head": small_parts(encoder).audio_head,
        "decoder": small_decoder(),
        "kinds": nn.Linear(DIMENSION, len(KINDS)),
    }
    if memory is not None:
        parts["memory"] = memory
    state = {f"{part}.{name}": value for part, own in parts.items() for name, value in own.state_dict().items()}
    halved = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    classes = [f"Class {number}" for number in range(527)]
    contents = {
        WEIGHTS_FILE: save({name: value.contiguous() for name, value in halved.items()}),
        WORDS_FILE: json.dumps({"words": WORDS, "classes": classes, "kinds": KINDS}).encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    fields = captioner_fields(contents)
    if memory is not None:
        fields["architecture"]["memory"] = {"name": "known-sounds", "options": memory.sizes}
        fields["writing"] |= {"consensus": 4.0, "memory": {"share": 0.9, "nearest": 2}}
    card = CaptionerCard.model_validate({**fields, **changed})
    (folder / CARD_FILE).write_text(card.model_dump_json(), encoding="utf-8")
    return folder
