"""Which captioning model is installed, and loading it when it is first needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.captioning.card import CaptionerCard, read_captioner_card
from core.config import RESOURCES, user_models_folder
from core.encoders.card import CARD_FILE
from core.encoders.load import card_kind
from core.errors import ModelError
from core.library.serving import Device

if TYPE_CHECKING:
    from core.captioning.guess import FileCaptioner


def captioner_folder() -> Path | None:
    """The folder of the captioning model: the user's own before the one that ships; None where there is none."""
    for place in (user_models_folder(), RESOURCES / "models"):
        for card_file in sorted(place.glob(f"*/{CARD_FILE}"), reverse=True):
            if not card_file.parent.name.startswith(".") and card_kind(card_file.parent) == "captioner":
                return card_file.parent
    return None


def installed_captioner_card() -> CaptionerCard | None:
    """Who would describe sounds, or None. Loads no weights, and no torch.

    Raises:
        ModelError: Its card is damaged.
    """
    folder = captioner_folder()
    return None if folder is None else read_captioner_card(folder)


def load_installed_captioner(*, device: Device) -> FileCaptioner:
    """Open the captioning model.

    Raises:
        ModelError: There is none, or it is damaged.
    """
    folder = captioner_folder()
    if folder is None:
        raise ModelError("No captioning model is installed.", "Install Earshot again with its models.")
    from core.captioning.shipped import load_captioner

    captioner: FileCaptioner = load_captioner(folder, device=device)
    return captioner
