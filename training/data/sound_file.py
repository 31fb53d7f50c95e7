"""Finding the sounds that a data set's tables name, whatever unpacking made of their names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.audio.decode import is_audio_candidate
from training.data.dataset import DataError

_DEPTH = 4
# What Windows cannot have in a name, and what archive programs and copies make of it.
_REPLACED = re.compile(r"[<>:\"/\\|?*\x00-\x1f\ufffd_]+")


def folders_below(root: Path, *, depth: int = _DEPTH) -> Iterator[Path]:
    """A folder and those below it, nearest first within each branch, sorted, hidden ones left out.

    Raises:
        DataError: The folder is not there.
    """
    if not root.is_dir():
        raise DataError(f"There is no folder {root}.", "Give the folder of the data set.")
    base = len(root.parts)
    for place, names, _ in os.walk(root):
        names.sort()
        names[:] = [name for name in names if not name.startswith(".")] if len(Path(place).parts) - base < depth else []
        yield Path(place)


class SoundFiles:
    """The sounds below some folders, by name.

    A name is found as it stands; else by what survives unpacking on other systems: composed or decomposed accents,
    capitals, doubled or outer blanks, characters that were replaced. Where two files could be meant, none is.

    Args:
        folders: Each is searched with all its own.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._exact: dict[str, Path] = {}
        self._alike: dict[str, Path | None] = {}
        self._stems: dict[str, Path] = {}
        for folder in folders:
            for place, names, files in os.walk(folder):
                names.sort()
                for name in sorted(files):
                    path = Path(place, name)
                    if not name.startswith(".") and is_audio_candidate(path) and name not in self._exact:
                        self._add(path)

    def _add(self, path: Path) -> None:
        self._exact[path.name] = path
        self._stems.setdefault(path.stem, path)
        key = _alike(path.name)
        self._alike[key] = None if key in self._alike else path

    def __len__(self) -> int:
        return len(self._exact)

    def by_name(self, name: str) -> Path | None:
        """The file of this name, or None."""
        return self._exact.get(name) or self._alike.get(_alike(name))

    def by_stem(self, *stems: str) -> Path | None:
        """The first file with one of these names before its extension, or None."""
        return next((self._stems[stem] for stem in stems if stem in self._stems), None)


def _alike(name: str) -> str:
    composed = unicodedata.normalize("NFKC", name).casefold()
    stem, dot, extension = composed.rpartition(".")
    return " ".join(_REPLACED.sub(" ", stem or extension).split()) + dot + extension.strip()
