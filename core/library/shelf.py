"""What the parts of a library's facade share: its database and its folder."""

from __future__ import annotations

from pathlib import Path

from core.catalogue.catalogue import Catalogue


class Shelf:
    """The catalogue that every part of the facade reads and writes.

    Args:
        catalogue: The library's database.
        folder: The library's own folder.
    """

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        self._catalogue = catalogue
        self._folder = folder

    @property
    def folder(self) -> Path:
        """The library's own folder."""
        return self._folder

    def data_version(self) -> int:
        """A number that differs from an earlier one if anything in the library has changed in between."""
        return self._catalogue.data_version()
