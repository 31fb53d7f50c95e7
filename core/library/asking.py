"""The part of the facade that answers questions."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from core.catalogue.failure import shown
from core.errors import LibraryError
from core.jobs import CancelToken
from core.library.bench import ModelBench
from core.search.duplicate import Duplicate, find_duplicates
from core.search.focus import Focus
from core.search.moment import MomentScore
from core.search.query import ClipPart, Query
from core.search.result import SearchResult
from core.types import IntArray, Span

Ids = Collection[int] | IntArray


class Asking(ModelBench):
    """Searches. Any thread may call, also while a job writes."""

    def search(
        self, query: Query, *, limit: int = 20, show_all: bool = False, within: Ids | None = None
    ) -> SearchResult:
        """Answer a query (see `core.search.query.build_query`).

        Args:
            query: What is asked.
            limit: Files wanted at most.
            show_all: Rank everything, with no relevance cut.
            within: Ids of the only files that may be hits; None: all.

        Raises:
            UnusableFileError: An example clip cannot be read.
            QueryError: A filter names something that there is not.
            ModelError: The encoder cannot be loaded.
        """
        return self._search(query, limit=limit, show_all=show_all, within=within)

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        """Load what the first questions would have to wait for; takes a second or two, and more in a huge library.

        Raises:
            CancelledError: The token was set.
            ModelError: The encoder cannot be loaded.
        """
        self._ask(lambda serving: serving.warm_up(cancel))

    def similar(
        self,
        path: Path,
        *,
        span: Span | None = None,
        limit: int = 20,
        show_all: bool = False,
        within: Ids | None = None,
    ) -> SearchResult:
        """Files that sound like a file, or like a stretch of it; the file itself is left out.

        Raises:
            UnusableFileError: The file cannot be read.
        """
        own = self._serving.repository.file_at(path)
        without = () if own is None else (own.id,)
        query = Query(parts=(ClipPart(path, span),))
        return self._search(query, limit=limit, show_all=show_all, within=within, without=without)

    def file_id_at(self, path: Path) -> int:
        """The id of a file on disk.

        Raises:
            LibraryError: It is not in the library.
        """
        row = self._serving.repository.file_at(path)
        if row is None:
            raise LibraryError(f"{shown(path)} is not in the library.", "Add its folder first.")
        return row.id

    def moments(self, file_id: int, query: Query) -> tuple[MomentScore, ...]:
        """How every window of a file fits a query, in the order of time; nothing where the query describes no sound.

        Raises:
            UnusableFileError: An example clip cannot be read.
            ModelError: The encoder cannot be loaded.
        """
        return self._ask(lambda serving: serving.engine.moments(query, file_id))

    def focus(self, file_id: int, query: Query) -> Focus | None:
        """Where in a file the sound is that a query asks for, to a fraction of a second.

        The file is listened to again, which takes up to about a second: call it for the file at hand, and not from the
        main thread.

        Returns:
            None where the query describes no sound or the file has no embedding yet.

        Raises:
            UnusableFileError: The file or an example clip cannot be read.
            ModelError: The encoder cannot be loaded.
        """
        return self._ask(lambda serving: serving.engine.focus(query, file_id))

    def duplicates(self, file_id: int) -> tuple[Duplicate, ...]:
        """Other files of the same bytes, then those that sound almost the same."""
        return self._ask(lambda serving: find_duplicates(serving.repository, serving.index, file_id))

    def _search(
        self, query: Query, *, limit: int, show_all: bool, within: Ids | None, without: Collection[int] = ()
    ) -> SearchResult:
        return self._ask(
            lambda serving: serving.engine.search(query, limit=limit, show_all=show_all, without=without, within=within)
        )
