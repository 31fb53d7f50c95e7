"""What a run keeps on disk: its state, its best weights and its log, each file whole or not there."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from core.errors import KnownError
from training.data.storage import FULL

BEST_FILE = "best.safetensors"
STATE_FILE = "last.pt"
LOG_FILE = "log.csv"
FIGURES_FILE = "figures.json"
BAD_BATCH_FILE = "bad_batch.pt"


class CheckpointError(KnownError):
    """A run's folder cannot be written, or holds something else than this run."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old or the new one, whatever happens meanwhile.

    Raises:
        CheckpointError: There is no space left, or the place cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        _forget(unfinished)
        what = "there is no space left" if error.errno in FULL else str(error)
        raise CheckpointError(
            f"{path} cannot be written: {what}. What was saved before is whole.",
            "Make room and give the same command again: the run goes on where it was last saved.",
        ) from error


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # The half-written file stays; nobody reads it.


def save_weights(path: Path, module: nn.Module) -> None:
    """Write a module's state dict as safetensors. Tensors that are one and the same are written once each."""
    state = {name: value.detach().cpu().clone().contiguous() for name, value in module.state_dict().items()}
    write_whole(path, save(state))


def load_weights(path: Path, module: nn.Module) -> None:
    """Give a module the weights of a file.

    Raises:
        CheckpointError: The file is missing, damaged or of another module.
    """
    try:
        module.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"The weights {path} cannot be used: {str(error)[:300]}.", "Train the run again."
        ) from error


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write what is needed to go on: tensors, numbers, texts, lists and dictionaries of them."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_whole(path, buffer.getvalue())


def load_state(path: Path) -> dict[str, Any] | None:
    """Read it back; None where there is none.

    Raises:
        CheckpointError: It is damaged.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, UnpicklingError) as error:
        raise CheckpointError(f"The run's state {path} is damaged.", "Remove it to begin anew.") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} is no state of a run.", "Remove it to begin anew.")
    return state


def write_log(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write the log anew: one row an epoch, a column for every figure that any row has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=columns)
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def plain(value: Any) -> Any:
    """A batch as tensors, numbers, texts, lists and dictionaries, for a file that runs no code when read."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy()) if value.dtype.kind in "biuf" else [str(part) for part in value.ravel()]
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool) or value is None else repr(value)


def moved(value: Any, device: torch.device) -> Any:
    """A batch with every tensor in it on a device; tuples, lists, dictionaries and dataclasses stay what they are."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {name: moved(part, device) for name, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: moved(getattr(value, field.name), device) for field in fields(value)})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(moved(part, device) for part in value))
    if isinstance(value, list | tuple):
        return type(value)(moved(part, device) for part in value)
    return value
