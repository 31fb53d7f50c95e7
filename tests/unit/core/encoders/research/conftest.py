"""Makes the modules of tests/helpers importable, and finds the reference outputs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[4] / "helpers"))

REPOSITORY = Path(__file__).resolve().parents[5]


@dataclass(frozen=True)
class Golden:
    """The outputs of a reference implementation and how they came about."""

    facts: dict[str, Any]
    outputs: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Golden]:
    """Reads the reference outputs of a name; skips where the developers' folder is not there."""
    folder = Path(os.environ.get("EARSHOT_SHARED", REPOSITORY.parent / "shared")) / "golden"
    if not folder.is_dir():
        pytest.skip(f"needs the reference outputs in {folder}")

    def read(name: str) -> Golden:
        facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"{name}.npz") as outputs:
            return Golden(facts, dict(outputs))

    return read


@pytest.fixture(scope="session")
def kept_numbers() -> dict[str, dict[str, list[float]]]:
    """The numbers that this repository keeps of each encoder and front-end."""
    path = Path(__file__).with_name("encoder_numbers.json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    """Tests that run beside each other must not fight for the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(min(threads, 2))
    yield
    torch.set_num_threads(threads)
