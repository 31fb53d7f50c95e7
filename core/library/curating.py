"""The part of the facade that keeps what the user says of files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.audio.decode import is_audio_candidate
from core.catalogue.collection import (
    add_to_collection,
    collection_files,
    create_collection,
    delete_collection,
    remove_from_collection,
    rename_collection,
)
from core.catalogue.failure import shown
from core.catalogue.kept import forget_unused, keep_file
from core.catalogue.saved_search import delete_saved_search, forget_searches, remember_search, save_search
from core.catalogue.tag import add_tag, remove_tag, set_favourite, set_rating
from core.errors import UnusableFileError
from core.library.shelf import Shelf
from core.types import IntArray

Ids = Sequence[int] | IntArray


class Curating(Shelf):
    """Writes marks, collections and searches: short transactions, possible from any thread while a job runs."""

    def set_rating(self, file_ids: Ids, rating: int) -> None:
        """Give files 1 to 5 stars; 0 takes them away."""
        with self._catalogue.write() as session:
            set_rating(session, file_ids, rating)

    def set_favourite(self, file_ids: Ids, is_favourite: bool) -> None:
        """Make files favourites, or plain ones again."""
        with self._catalogue.write() as session:
            set_favourite(session, file_ids, is_favourite)

    def add_tag(self, file_ids: Ids, name: str) -> None:
        """Hang a tag on files; it can be searched as a word and by ``tag:``.

        Raises:
            LibraryError: The name is empty or too long.
        """
        with self._catalogue.write() as session:
            add_tag(session, file_ids, name)

    def remove_tag(self, file_ids: Ids, name: str) -> None:
        """Take a tag off files."""
        with self._catalogue.write() as session:
            remove_tag(session, file_ids, name)

    def create_collection(self, name: str) -> int:
        """Make an empty collection and give its id.

        Raises:
            LibraryError: The name is empty, too long or taken.
        """
        with self._catalogue.write() as session:
            return create_collection(session, name)

    def rename_collection(self, collection_id: int, name: str) -> None:
        """Give a collection another name.

        Raises:
            LibraryError: The name is empty, too long or taken, or the collection is gone.
        """
        with self._catalogue.write() as session:
            rename_collection(session, collection_id, name)

    def delete_collection(self, collection_id: int) -> None:
        """Forget a collection; its files stay, except those outside the folders that nothing else holds."""
        files = collection_files(self._catalogue, collection_id).tolist()
        with self._catalogue.write() as session:
            delete_collection(session, collection_id)
            forget_unused(session, files)

    def add_to_collection(self, collection_id: int, file_ids: Ids) -> int:
        """Put files at the end of a collection; gives how many were not in it before.

        Raises:
            LibraryError: The collection is gone.
        """
        with self._catalogue.write() as session:
            return add_to_collection(session, collection_id, file_ids)

    def remove_from_collection(self, collection_id: int, file_ids: Ids) -> None:
        """Take files out of a collection; one outside the folders that nothing else holds is forgotten."""
        with self._catalogue.write() as session:
            remove_from_collection(session, collection_id, file_ids)
            forget_unused(session, [int(file_id) for file_id in file_ids])

    def add_outside_files(self, paths: Iterable[Path]) -> list[int]:
        """Make files part of the library without their folders, for example to put them into a collection.

        Their names can be searched at once; `embed` makes the rest. A file that the library has keeps its id.

        Returns:
            Their ids, in the order of the paths.

        Raises:
            UnusableFileError: One of them is no sound file, or cannot be reached; then none is added.
        """
        with self._catalogue.write() as session:
            ids = []
            for path in paths:
                real = Path(os.path.realpath(path))
                if not is_audio_candidate(real) or not real.is_file():
                    raise UnusableFileError(f"{shown(path)} is no sound file.", "Choose WAV, FLAC, MP3 or the like.")
                ids.append(keep_file(session, real))
            return ids

    def save_search(self, name: str, query_json: str) -> int:
        """Keep a question under a name, in the place of one that has it, and give its id.

        Raises:
            LibraryError: The name is empty or too long.
        """
        with self._catalogue.write() as session:
            return save_search(session, name, query_json)

    def delete_saved_search(self, search_id: int) -> None:
        """Forget a named question."""
        with self._catalogue.write() as session:
            delete_saved_search(session, search_id)

    def remember_search(self, query_json: str) -> None:
        """Make a question the latest of the history."""
        with self._catalogue.write() as session:
            remember_search(session, query_json)

    def forget_history(self) -> None:
        """Empty the history."""
        with self._catalogue.write() as session:
            forget_searches(session)
