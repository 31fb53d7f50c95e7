"""Small models in the user's models folder, and a captioner that needs no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from small_model import card_fields, small_parts

from core.captioning.guess import CaptionGuess
from core.config import user_models_folder
from core.encoders.assembly import save_dual_encoder
from core.encoders.card import ModelCard


def install_small_model(
    *,
    version: str = "1.0.0",
    name: str = "earshot-small",
    turned: bool = False,
    redrawn: int | None = None,
    folder: Path | None = None,
) -> ModelCard:
    """Write a small model where `find_model` looks; set XDG_DATA_HOME before.

    Args:
        version: Of its card.
        name: Of its card.
        turned: Whether its space is another: every vector is mirrored.
        redrawn: A seed by which its heads are drawn anew, so that also its scores are others.
        folder: Its folder, whose files are written over; one in the user's models if None.
    """
    parts = small_parts()
    if redrawn is not None:
        torch.manual_seed(redrawn)
        for head in (parts.audio_head, parts.text_head):
            torch.nn.init.normal_(head.residual[3].weight, std=0.5)
    if turned:
        with torch.no_grad():
            parts.background.neg_()
            for head in (parts.audio_head, parts.text_head):
                for parameter in list(head.residual.parameters())[-2:]:
                    parameter.neg_()
    fields: dict[str, Any] = {**card_fields(), "version": version, "name": name, "window_s": 2.0, "hop_s": 1.0}
    return save_dual_encoder(folder or user_models_folder() / f"{name}-{version}", parts, fields)


@dataclass(frozen=True)
class NameCard:
    """Who the captioner below is."""

    id: str = "names-1.0.0"
    description: str = "Says what the name says."


@dataclass
class NameCaptioner:
    """Describes a file by its name; a name that begins with a question mark is described unsurely."""

    card: NameCard = field(default_factory=NameCard)
    heard: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda name: None

    def caption(self, sound: Path | Any, /) -> CaptionGuess:
        name = Path(sound).stem
        self.before(name)
        self.heard.append(name)
        is_sure = not name.startswith("_")
        return CaptionGuess(
            f"the sound of {name}", 0.8 if is_sure else 0.2, (f"maybe {name}",), ("thing", name), is_sure
        )
