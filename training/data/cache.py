"""Arrays that are dear to compute, kept on disk under what they were computed from."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from core.errors import UnusableFileError
from core.types import FloatArray
from training.data.storage import replace_file, storage_error

Arrays = Mapping[str, FloatArray]


def content_key(**parts: object) -> str:
    """A name for what follows from `parts` (JSON values) and nothing else."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        UnusableFileError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnusableFileError(
            f"The file {path} cannot be read ({error.strerror}).", "`python -m training describe` finds all such files."
        ) from error


class ArrayCache:
    """A folder of `KEY.npz` files, each complete or absent: a run that is stopped goes on where it was.

    Args:
        folder: Is made where it is missing.

    Raises:
        StorageError: It cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(folder, error) from error

    def get(self, key: str, compute: Callable[[], Arrays]) -> dict[str, FloatArray]:
        """The arrays under a key, computed and kept if they are not there or damaged. They are kept in float16.

        Raises:
            StorageError: They cannot be kept for lack of space; everything kept before is still there.
        """
        path = self._folder / f"{key}.npz"
        try:
            # numpy leaves a file open that it cannot read; one that is opened here is closed here.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {name: stored[name].astype(np.float32) for name in stored.files}
        except (ValueError, EOFError, OSError, zipfile.BadZipFile):
            arrays = {name: array.astype(np.float16) for name, array in compute().items()}
        self._write(path, arrays)
        # What is given out does not depend on whether it was computed now or before.
        return {name: array.astype(np.float32) for name, array in arrays.items()}

    def _write(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        # Made in memory first: a disk that is full then fails at a plain write, and leaves no half archive open.
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        replace_file(path, lambda partial: partial.write_bytes(content.getbuffer()))
