"""Published values where the developers' material is there, and a small model folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_model import card_fields, small_parts

from core.encoders.assembly import save_dual_encoder


@pytest.fixture(scope="session")
def material(corpus_folder: Path) -> Path:
    """The folder with golden values and published weights that developers keep beside the checkout."""
    folder = corpus_folder.parent
    if not (folder / "golden").is_dir():
        pytest.skip("the developers' golden values are not here")
    return folder


@pytest.fixture(scope="session")
def pristine_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model folder; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "small"
    save_dual_encoder(folder, small_parts(), card_fields())
    return folder


@pytest.fixture
def model_folder(pristine_model: Path, tmp_path: Path) -> Path:
    """A small model folder that a test may damage."""
    return Path(shutil.copytree(pristine_model, tmp_path / "model"))


@pytest.fixture
def torch_threads() -> Iterator[None]:
    """Restores the number of torch threads after a test that changes it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
