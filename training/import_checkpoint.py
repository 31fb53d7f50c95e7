"""`python -m training import-checkpoint NAME FILE`: an official checkpoint becomes our own format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from core.config import user_models_folder

IMPORTED_FOLDER = "encoders"


def imported_folder(name: str) -> Path:
    """Where an imported encoder lies unless another folder is named."""
    return user_models_folder() / IMPORTED_FOLDER / name


def import_checkpoint(
    name: Annotated[str, typer.Argument(help="An encoder of the registry, such as cnn14 or atst-frame.")],
    file: Annotated[Path, typer.Argument(help="The published checkpoint (.pth, .pt, .ckpt or .safetensors).")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to write it. Default: the user's folder of models.", show_default=False)
    ] = None,
) -> None:
    """Convert an official checkpoint to safetensors with a card, and say what did not fit."""
    from core.encoders.checkpoint import read_state_dict
    from core.encoders.encoder_card import describe_encoder, save_encoder
    from core.encoders.registry import create_encoder

    # An unknown name is found before a large file is read.
    encoder: Any = create_encoder(name)
    report = encoder.load_official(read_state_dict(file))
    card = describe_encoder(name, encoder, file, report)
    target = folder if folder is not None else imported_folder(name)
    save_encoder(encoder, card, target)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{name}: {report.summary()}.", markup=False)
    console.print(f"{card.parameters:,} parameters, from {card.origin}.", markup=False)
    console.print(f"Licence: {card.licence}. {card.licence_basis}", markup=False)
    console.print(f"Written to {target}.", markup=False)
