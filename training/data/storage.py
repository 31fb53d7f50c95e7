"""Writing files so that each is complete or absent, with a plain word when the disk is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from core.errors import KnownError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.ENOSPC, errno.EFBIG}
"""What the system answers where there is no room."""


class StorageError(KnownError):
    """Something cannot be written; what was written before is still there."""


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and move it there at once; a stop in between leaves nothing.

    Args:
        path: Where it will lie; its folder is made where it is missing.
        write: Fills the file whose path it is given. It has the extension of `path`.

    Raises:
        StorageError: There is no space, or the folder may not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not `tempfile`: what it makes can be read by its owner alone, also after the move.
        partial = path.with_name(f".partial-{uuid4().hex}{path.suffix}")
        partial.touch(exist_ok=False)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        write(partial)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise storage_error(path, error) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def storage_error(path: Path, error: OSError) -> StorageError:
    """What to tell when a file cannot be written."""
    if error.errno in FULL:
        return StorageError(
            f"There is no space left for {path}.",
            "Make room and start again: everything finished before is kept and not computed again.",
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageError(f"{path} cannot be written ({reason}).", "Choose another folder.")
