"""A few numbers of each encoder on reproducible parameters, kept in the repository beside its tests.

Run as a script to write them anew, after the encoders were held against the reference outputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from reference_parameters import draw_state
from torch import Tensor, nn

from core.audio.atst_frontend import AtstLogMel
from core.audio.frontend import LogMel
from core.audio.panns_frontend import PannsLogMel
from core.encoders.registry import create_encoder

NUMBERS = Path(__file__).resolve().parents[1] / "unit/core/encoders/research/encoder_numbers.json"
ENCODERS = (
    "cnn10",
    "cnn14",
    "cnn14-mei",
    "resnet38",
    "convnext-tiny",
    "passt-s-p16-s16-128-ap468",
    "atst-frame",
)
FRONT_ENDS: dict[str, tuple[type[nn.Module], int]] = {
    "panns-64": (PannsLogMel, 32000),
    "passt-128": (LogMel, 32000),
    "atst-64": (AtstLogMel, 16000),
}
SEED, DURATION_S, KEPT = 2, 2.5, 16


def noise(samples: int, *, seed: int, batch: int = 1) -> Tensor:
    """(batch, samples) of white noise at a tenth of full scale."""
    values = 0.1 * np.random.default_rng(seed).standard_normal((batch, samples))
    return torch.from_numpy(values.astype(np.float32))


@contextmanager
def unfilled() -> Iterator[None]:
    """Encoders created meanwhile get no numbers to start from: drawing them takes long, and all of them are read."""

    def leave(tensor: Tensor, *_settings: object, **_more: object) -> Tensor:
        return tensor

    names = ("kaiming_uniform_", "normal_", "trunc_normal_", "uniform_", "xavier_uniform_")
    with patch.multiple(nn.init, **dict.fromkeys(names, leave)):
        yield


def drawn_encoder(name: str, **options: object) -> nn.Module:
    """An encoder whose parameters are drawn from their names, in evaluation mode."""
    with unfilled():
        encoder = create_encoder(name, **options)
    encoder.load_official(draw_state(encoder.trunk))
    return encoder.eval()


def encoder_numbers(encoder: nn.Module) -> dict[str, list[float]]:
    """Sixteen numbers of each output for the same 2.5 s of noise."""
    with torch.inference_mode():
        output = encoder(noise(int(DURATION_S * encoder.sample_rate_hz), seed=SEED))
    numbers = {"embedding": _some(output.embedding), "frames": _some(output.frames)}
    if output.logits is not None:
        numbers["logits"] = _some(output.logits)
    return numbers


def front_end_numbers(name: str) -> dict[str, list[float]]:
    """Sixteen numbers of a front-end's output for the same 2.5 s of noise."""
    kind, rate_hz = FRONT_ENDS[name]
    return {"mel": _some(kind()(noise(int(DURATION_S * rate_hz), seed=SEED)))}


def _some(values: Tensor) -> list[float]:
    flat = values.flatten()
    return flat[torch.linspace(0, len(flat) - 1, KEPT).long()].tolist()


if __name__ == "__main__":
    written = {name: front_end_numbers(name) for name in FRONT_ENDS}
    written |= {name: encoder_numbers(drawn_encoder(name)) for name in ENCODERS}
    NUMBERS.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
