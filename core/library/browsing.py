"""The part of the facade that lists files and shows what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.catalogue.browse import (
    DeskRow,
    FileDetail,
    FolderCount,
    Order,
    RootRow,
    UcsCount,
    below_folder,
    desk_rows,
    file_detail,
    folder_counts,
    ordered_ids,
    recent_ids,
    root_rows,
    ucs_counts,
)
from core.catalogue.collection import CollectionRow, collection_files, list_collections
from core.catalogue.peaks import peaks_of, store_peaks
from core.catalogue.saved_search import SavedSearch, latest_searches, list_saved_searches
from core.catalogue.statistic import SkippedItem, skipped_items
from core.catalogue.tag import TagCount, tag_counts
from core.errors import LibraryError
from core.library.shelf import Shelf
from core.search.filter import compile_condition, parse_condition
from core.types import IntArray

if TYPE_CHECKING:
    from core.audio.peaks import Peaks


class Browsing(Shelf):
    """Reads what lists, trees and the inspector show. Any thread may call, also while a job writes."""

    def roots(self) -> list[RootRow]:
        """The folders of the library, in the order they were added, each with its counts."""
        return root_rows(self._catalogue)

    def rows(self, file_ids: Sequence[int] | IntArray) -> dict[int, DeskRow]:
        """What lists show of some files; made for the rows on screen. Files that are gone are absent."""
        return desk_rows(self._catalogue, file_ids)

    def detail(self, file_id: int) -> FileDetail:
        """Everything known of a file.

        Raises:
            LibraryError: It is no longer in the library.
        """
        found = file_detail(self._catalogue, file_id)
        if found is None:
            raise LibraryError("The file is no longer in the library.", "Look for it again.")
        return found

    def peaks(self, file_ids: Sequence[int] | IntArray) -> dict[int, Peaks]:
        """The outlines of files' waveforms as they were measured at indexing; files that have none yet are absent."""
        return peaks_of(self._catalogue, file_ids)

    def store_peaks(self, file_id: int, peaks: Peaks) -> None:
        """Keep the outline of a waveform that was measured later."""
        with self._catalogue.write() as session:
            store_peaks(session, file_id, peaks)

    def list_files(
        self,
        *conditions: str,
        order: Order = "path",
        descending: bool = False,
        below: Path | None = None,
        among: Sequence[int] | IntArray | None = None,
    ) -> IntArray:
        """Ids (m,) of files that pass all filters, in an order; missing files are left out.

        Args:
            conditions: Filter expressions such as "favourite:yes"; see `core.search.filter`.
            order: What to sort by; files that lack the value come last, equal ones by path.
            descending: The other way round.
            below: A folder on disk; only files in it, or in folders below it, count.
            among: Ids of the only files that count, for example to sort the hits of a search.

        Raises:
            QueryError: A filter cannot be understood.
        """
        clauses = [compile_condition(parse_condition(condition)) for condition in conditions]
        if below is not None:
            clauses.append(below_folder(self._catalogue, below))
        return ordered_ids(self._catalogue, *clauses, order=order, descending=descending, among=among)

    def recent(self, limit: int = 1_000) -> IntArray:
        """Ids (m,) of the files that came last into the library, the latest first."""
        return recent_ids(self._catalogue, limit)

    def folder_counts(self) -> list[FolderCount]:
        """The folders below the roots that hold files, by path, each with how many it holds itself."""
        return folder_counts(self._catalogue)

    def ucs_counts(self) -> list[UcsCount]:
        """The UCS categories that occur, in the order of the published list, with the number of files."""
        return ucs_counts(self._catalogue)

    def tags(self) -> list[TagCount]:
        """All tags by name, with the number of files."""
        return tag_counts(self._catalogue)

    def collections(self) -> list[CollectionRow]:
        """All collections by name, with the number of files."""
        return list_collections(self._catalogue)

    def collection_files(self, collection_id: int) -> IntArray:
        """Ids (m,) of a collection's files, in the order they were put in."""
        return collection_files(self._catalogue, collection_id)

    def saved_searches(self) -> list[SavedSearch]:
        """The questions that were saved, by name."""
        return list_saved_searches(self._catalogue)

    def history(self, limit: int = 100) -> list[str]:
        """The latest different questions as JSON (`QuerySpec.from_json` reads it), the last one first."""
        return latest_searches(self._catalogue, limit)

    def skipped(self) -> list[SkippedItem]:
        """Files and folders that could not be used, with reasons, by path."""
        return skipped_items(self._catalogue)
