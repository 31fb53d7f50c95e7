"""Reading checkpoints of others, and putting them into our modules with an account of every key."""

from __future__ import annotations

import _compat_pickle
import logging
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import ModelError

_log = logging.getLogger(__name__)

# Where training programs put the state dict inside of what they save.
_CONTAINERS = ("model", "state_dict", "model_state_dict")
# torch.save before 1.6: magic number, protocol, system, the object, the storages' keys.
_LEGACY_PICKLES = 5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a checkpoint's keys.

    Attributes:
        loaded: Our parameters and buffers that were taken over.
        missing: Ours that the checkpoint does not hold; they keep their values.
        left_over: The checkpoint's that have no place here.
        computed: The checkpoint's that we compute ourselves (STFT kernels, mel matrices).
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    def summary(self) -> str:
        """One line for a log or a terminal."""
        parts = [f"{len(self.loaded)} tensors taken over"]
        for label, names in (
            ("missing", self.missing),
            ("left over", self.left_over),
            ("computed here", self.computed),
        ):
            if names:
                parts.append(f"{len(names)} {label} ({_some(names)})")
        return ", ".join(parts)


class _Inert:
    """Stands for every object of a checkpoint that is no tensor; remembers nothing and does nothing."""

    def __new__(cls, *_arguments: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_arguments: Any) -> None:
        pass

    def __setstate__(self, _state: Any) -> None:
        pass


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint: safetensors, or what `torch.save` wrote.

    Pickles are read with `weights_only=True`: nothing that they name is ever imported or called. Objects of
    classes outside torch (numpy arrays of a sampler, Lightning's settings) become inert placeholders and are left
    out. A state dict may lie by itself or under "model", "state_dict" or "model_state_dict".

    Raises:
        ModelError: There is no such file, it cannot be read, or it holds no state dict.
    """
    if not path.is_file():
        raise ModelError(f"There is no file {path}.", "Check the path.")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path.name} is not a readable safetensors file: {error}.", _FETCH_AGAIN) from error
    state = _state_dict_of(_read_pickle(path))
    if state is None:
        raise ModelError(
            f"{path.name} holds no state dict: expected a mapping from parameter names to tensors, by itself or "
            f"under one of {', '.join(map(repr, _CONTAINERS))}.",
            "Give a checkpoint that was saved with torch.save(model.state_dict(), ...) or as safetensors.",
        )
    return state


_FETCH_AGAIN = "Fetch the file again from where it was published."


# What a reader that is fed with other bytes than a checkpoint's runs into.
_UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)


def _read_pickle(path: Path) -> Any:
    foreign = _foreign_globals(path)
    if foreign:
        _log.info("%s names objects other than tensors, which are left out: %s", path.name, ", ".join(foreign))
    try:
        # Several names may stand for one class, and torch takes (object, name) pairs for that.
        with torch.serialization.safe_globals([(_Inert, name) for name in foreign]), warnings.catch_warnings():
            # What it cannot read of a newer pickle protocol it says in its error.
            warnings.filterwarnings("ignore", message="Detected pickle protocol", category=UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{path.name} cannot be read as a checkpoint of torch tensors ({reason})",
            "Give a file that torch.save wrote from a state dict, or safetensors.",
        ) from error


def _foreign_globals(path: Path) -> list[str]:
    """Names in a pickle that torch's restricted reader does not know, without running anything."""
    if zipfile.is_zipfile(path):
        try:
            return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        except (RuntimeError, ValueError, pickle.UnpicklingError, EOFError):
            return []
    named: set[str] = set()
    with path.open("rb") as file:
        try:
            for _ in range(_LEGACY_PICKLES):
                for operation, argument, _position in pickletools.genops(file):
                    if operation.name == "GLOBAL":
                        named.add(_todays_name(*str(argument).split(" ", 1)))
        except (ValueError, EOFError):
            _log.debug("%s is no sequence of pickles", path.name)
    return sorted(name for name in named if not name.startswith(("torch.", "collections.")))


def _todays_name(module: str, name: str) -> str:
    """Protocol 2, which torch writes, names modules as Python 2 did; torch's reader takes today's names."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        module, name = _compat_pickle.NAME_MAPPING[module, name]
    else:
        module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    return f"{module}.{name}"


def _state_dict_of(found: Any) -> dict[str, Tensor] | None:
    """The mapping from names to tensors that is `found` or lies in one of the usual containers."""
    if not isinstance(found, Mapping):
        return None
    for name in _CONTAINERS:
        inner = found.get(name)
        if isinstance(inner, Mapping) and (state := _tensors(inner)):
            return state
    return _tensors(found) or None


def _tensors(mapping: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {name: value for name, value in mapping.items() if isinstance(name, str) and isinstance(value, Tensor)}


def load_state(
    module: nn.Module,
    state: Mapping[str, Tensor],
    *,
    expected: str,
    rename: Callable[[str], str] | None = None,
    computed: tuple[str, ...] = (),
    strict: bool = True,
) -> LoadReport:
    """Copy a checkpoint's tensors into a module.

    Args:
        module: Takes the tensors.
        state: The checkpoint.
        expected: What the module is, for messages.
        rename: From the checkpoint's names to ours.
        computed: Beginnings of the checkpoint's names that we compute ourselves.
        strict: Whether a missing tensor is an error.

    Returns:
        What was taken over, missing and left over.

    Raises:
        ModelError: Nothing fits, a shape differs, or (strict) something is missing. The module is unchanged.
    """
    own = module.state_dict()
    given: dict[str, Tensor] = {}
    skipped: list[str] = []
    left_over: list[str] = []
    for name, value in state.items():
        if name.startswith(computed):
            skipped.append(name)
            continue
        ours = rename(name) if rename is not None else name
        if ours in own:
            given[ours] = value
        else:
            left_over.append(name)
    # Checkpoints of very old torch versions do not count batches, and the count plays no part here.
    missing = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
    _check_fit(own, given, missing if strict else [], left_over, expected)
    module.load_state_dict(given, strict=False)
    return LoadReport(tuple(given), tuple(missing), tuple(left_over), tuple(skipped))


def _check_fit(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], missing: list[str], left_over: list[str], expected: str
) -> None:
    way_out = f"Give an official checkpoint of {expected}."
    if not given:
        raise ModelError(
            f"This is no checkpoint of {expected}: expected names like {_some(own)}, found {_some(left_over)}.", way_out
        )
    for name, value in given.items():
        if value.shape != own[name].shape:
            raise ModelError(
                f"This is no checkpoint of {expected}: expected {name} of shape {tuple(own[name].shape)}, "
                f"found {tuple(value.shape)}.",
                way_out,
            )
    if missing:
        raise ModelError(
            f"This is no whole checkpoint of {expected}: {len(missing)} of {len(own)} tensors are missing, "
            f"among them {_some(missing)}.",
            way_out,
        )


def _some(names: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    shown = list(names)[:_SHOWN]
    more = len(names) - len(shown)
    return (", ".join(shown) or "nothing") + (f" and {more} more" if more else "")
