"""A library with a small model of its own, and three made-up sounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from installed_model import install_small_model
from small_library import write_sound

from core.library import Library

MODEL = "earshot-small"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder, so that no test sees, or leaves, models of the developer's."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    folder.mkdir()
    return folder


@pytest.fixture
def library(tmp_path: Path, sounds: Path) -> Iterator[Library]:
    """door, dog and rain, with ids in this order, indexed with version 1.0.0 of the small model."""
    install_small_model()
    with Library.open(tmp_path / "library", model=MODEL, device="cpu") as opened:
        for number, name in enumerate(("door", "dog", "rain")):
            write_sound(sounds / f"{name}.wav", number, duration_s=1.0)
            list(opened.scan([sounds]))
        list(opened.index([sounds], jobs=1))
        yield opened
