"""Where things lie on disk."""

from __future__ import annotations

from pathlib import Path

import platformdirs

RESOURCES = Path(__file__).resolve().parent.parent / "resources"


def default_library_folder() -> Path:
    """The folder of the library that is used when none is named."""
    return Path(platformdirs.user_data_dir("earshot", appauthor=False)) / "library"


def user_models_folder() -> Path:
    """Where models that the user trained or imported lie, one folder each."""
    return Path(platformdirs.user_data_dir("earshot", appauthor=False)) / "models"
