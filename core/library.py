"""The whole program without a screen, behind one class.

Example:
    >>> from pathlib import Path
    >>> from core.library import Library
    >>> from core.search.query import build_query
    >>> with Library.open(Path("my-library")) as library:            # doctest: +SKIP
    ...     for event in library.index([Path("sounds")]):
    ...         print(event)
    ...     for hit in library.search(build_query("metal gate creaks", negatives=["voices"])).hits:
    ...         print(hit.rank, hit.path, hit.span, hit.relevance)
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from core.catalogue.catalogue import Catalogue
from core.catalogue.models import FileState
from core.catalogue.repository import FileRow, Repository
from core.catalogue.root import add_root, list_roots, remove_root
from core.catalogue.statistic import (
    LibraryStatistics,
    SkippedItem,
    changed_files,
    check_integrity,
    library_statistics,
    skipped_items,
)
from core.catalogue.vectors import CatalogueVectors
from core.config import default_library_folder
from core.encoders.load import InstalledModel, available_models, find_model, load_dual_encoder, load_relevance
from core.index import LibraryIndex, index_folder, open_index
from core.ingest.pipeline import ingest
from core.ingest.scan import scan
from core.jobs import CancelToken, Event
from core.jobs.clock import StageClock
from core.search.clip import embed_clip
from core.search.engine import SearchEngine
from core.search.query import ClipPart, Query
from core.search.result import SearchResult
from core.types import FloatArray, Span

if TYPE_CHECKING:
    from core.encoders.card import ModelCard
    from core.encoders.protocol import DualEncoder

Device = Literal["auto", "cuda", "cpu"]


@dataclass(frozen=True, slots=True)
class Status:
    """What a library holds, and with which model it is searched."""

    folder: Path
    model_id: str
    statistics: LibraryStatistics

    @property
    def windows(self) -> int:
        """Embedded windows of the model in use."""
        return self.statistics.windows.get(self.model_id, 0)

    def as_dict(self) -> dict[str, Any]:
        """The status as the JSON object that `earshot status --json` prints."""
        statistics = self.statistics
        return {
            "library": str(self.folder),
            "model": self.model_id,
            "files": sum(statistics.files(state) for state in FileState),
            **{state.value: statistics.files(state) for state in FileState},
            "windows": self.windows,
            "duration_s": round(statistics.duration_s, 3),
            "roots": [
                {
                    "path": str(root.path),
                    "offline": root.is_offline,
                    "size_bytes": root.size_bytes,
                    "duration_s": round(root.duration_s, 3),
                    **{state.value: root.files[state] for state in FileState},
                }
                for root in statistics.roots
            ],
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check of `Library.verify`."""

    check: str
    ok: bool
    message: str


class Library:
    """A library: folders of sounds, what is known of them, and the means to search them.

    Made by `open`. Methods that only read may be called from several threads; `index`, `reindex` and `remove` are
    for one writer at a time, also among processes.
    """

    def __init__(
        self, catalogue: Catalogue, index: LibraryIndex, *, folder: Path, model: InstalledModel, device: Device
    ) -> None:
        self._catalogue = catalogue
        self._index = index
        self._folder = folder
        self._model = model
        self._device: Device = device
        self._loading = threading.Lock()
        self._loaded: DualEncoder | None = None
        card = model.card
        self._repository = Repository(catalogue, model_id=card.id, dimension=card.dimension)
        self._engine = SearchEngine(
            self._repository,
            index,
            encoder=self.encoder,
            clip_vector=self._clip_vector,
            relevance=load_relevance(model.folder),
        )

    @classmethod
    def open(
        cls,
        folder: Path | None = None,
        *,
        model: str | None = None,
        device: Device = "auto",
        read_only: bool = False,
    ) -> Self:
        """Open a library, and create it where there is none.

        Args:
            folder: The library's own folder; the platform's data folder if None.
            model: Id or name of the model to use; the bundled one if None.
            device: Where sounds are embedded.
            read_only: Never write; another process may be indexing.

        Raises:
            LibraryError: It cannot be opened; see `core.catalogue.catalogue.Catalogue.open`.
            ModelError: The model is not there or damaged.
        """
        folder = (folder or default_library_folder()).expanduser().absolute()
        installed = find_model(model)
        catalogue = Catalogue.open(folder, read_only=read_only)
        try:
            card = installed.card
            vectors = CatalogueVectors(catalogue, model_id=card.id, dimension=card.dimension)
            # The index on disk is written only under the writer's lock; opening it must not write.
            index = open_index(index_folder(folder, card.id), vectors, read_only=read_only)
            return cls(catalogue, index, folder=folder, model=installed, device=device)
        except BaseException:
            catalogue.close()
            raise

    @property
    def card(self) -> ModelCard:
        """The card of the model in use."""
        return self._model.card

    def encoder(self) -> DualEncoder:
        """The encoder, loaded when it is first needed.

        Raises:
            ModelError: Its files are damaged, or the device is not there.
        """
        with self._loading:
            if self._loaded is None:
                self._loaded = load_dual_encoder(self._model.folder, device=self._device)
            return self._loaded

    def index(
        self,
        folders: Sequence[Path] = (),
        *,
        jobs: int | None = None,
        cancel: CancelToken | None = None,
        clock: StageClock | None = None,
    ) -> Iterator[Event]:
        """A job: add folders and index whatever is new or changed in the library. Run again, it goes on.

        Args:
            folders: Folders to add, or to look at again; all of the library if empty.
            jobs: Worker threads; one per core if None.
            cancel: Stops the job; what was finished is kept.
            clock: Counts the time of each stage.

        Raises:
            CancelledError: The token was set.
            LibraryBusyError: Another process is indexing.
            LibraryError: The library cannot be written.
        """
        token = cancel or CancelToken()
        with self._catalogue.writer():
            with self._catalogue.write() as session:
                added = tuple({root.id: root for root in (add_root(session, folder) for folder in folders)}.values())
                roots = added or list_roots(session)
            yield from scan(self._catalogue, roots=roots, cancel=token, clock=clock)
            encoder = self.encoder()
            for event in ingest(
                self._catalogue,
                encoder,
                jobs=jobs,
                cancel=token,
                share_encoder=self._runs_on_gpu(),
                clock=clock,
            ):
                yield event
                yield from encoder.take_notices()
            yield from self._index.catch_up(token)

    def search(self, query: Query, *, limit: int = 20, show_all: bool = False) -> SearchResult:
        """Answer a query (see `core.search.query.build_query`).

        Args:
            query: What is asked.
            limit: Files wanted at most.
            show_all: Rank everything, with no relevance cut.

        Raises:
            UnusableFileError: An example clip cannot be read.
            QueryError: A filter names something that there is not.
        """
        return self._engine.search(query, limit=limit, show_all=show_all)

    def similar(self, path: Path, *, span: Span | None = None, limit: int = 20, show_all: bool = False) -> SearchResult:
        """Files that sound like a file, or like a stretch of it; the file itself is left out.

        Raises:
            UnusableFileError: The file cannot be read.
        """
        own = self._repository.file_at(path)
        without = () if own is None else (own.id,)
        query = Query(parts=(ClipPart(path, span),))
        return self._engine.search(query, limit=limit, show_all=show_all, without=without)

    def status(self) -> Status:
        """Count what the library holds."""
        return Status(self._folder, self.card.id, library_statistics(self._catalogue))

    def skipped(self) -> list[SkippedItem]:
        """Files and folders that could not be used, with reasons, by path."""
        return skipped_items(self._catalogue)

    def verify(self) -> list[Finding]:
        """Check the database, the files and the index against each other; nothing is changed."""
        report = check_integrity(self._catalogue)
        findings = [
            _finding("database", report.damage, "sound in structure"),
            _finding(
                "references",
                [f"{report.broken_references} rows refer to nothing."] if report.broken_references else [],
                "every row refers to something",
            ),
            _finding(
                "embeddings",
                [f"{report.incomplete_files} files lack embeddings; `earshot index` makes them."]
                if report.incomplete_files
                else [],
                f"every indexed file has its windows, {self.status().windows:,} in all",
            ),
            self._check_files(),
            _finding("index", self._index.verify(), f"agrees with the database on {self._index.count:,} windows"),
        ]
        return findings

    def reindex(self, *, cancel: CancelToken | None = None) -> Iterator[Event]:
        """A job: build the search index anew from the database. Sounds are not decoded again.

        Raises:
            CancelledError: The token was set; searches then read the database.
            LibraryBusyError: Another process is indexing.
        """
        with self._catalogue.writer():
            shutil.rmtree(index_folder(self._folder, self.card.id), ignore_errors=True)
            yield from self._index.catch_up(cancel)

    def remove(self, folder: Path) -> int:
        """Take a folder out of the library; on disk nothing changes.

        Returns:
            How many files were forgotten.

        Raises:
            LibraryError: It is no folder of the library.
            LibraryBusyError: Another process is indexing.
        """
        with self._catalogue.writer():
            with self._catalogue.write() as session:
                count = remove_root(session, folder)
            for _ in self._index.catch_up():
                pass
            return count

    def close(self) -> None:
        """Let go of the library. The object cannot be used afterwards."""
        self._catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _clip_vector(self, clip: ClipPart) -> FloatArray:
        """The vector (d,) of an example clip; a whole file that is indexed as it is on disk is not decoded again."""
        if clip.span is None:
            known = self._repository.file_at(clip.path)
            if known is not None and known.state is FileState.READY and not _has_changed(known):
                vector = self._repository.file_vector(known.id)
                if vector is not None:
                    return vector
        return embed_clip(self.encoder(), clip)

    def _check_files(self) -> Finding:
        changed = list(changed_files(self._catalogue))
        complaints = [
            f"{len(changed):,} indexed files are gone or changed, the first of them {path}; run `earshot index`."
            for path in changed[:1]
        ]
        ready = self.status().statistics.files(FileState.READY)
        return _finding("files", complaints, f"all {ready:,} indexed files are as they were")

    def _runs_on_gpu(self) -> bool:
        return self.encoder().device == "cuda"


def models() -> tuple[ModelCard, ...]:
    """The cards of all models that can be used, the default first."""
    return tuple(model.card for model in available_models())


def _finding(check: str, complaints: Sequence[str], praise: str) -> Finding:
    return Finding(check, not complaints, " ".join(complaints) or praise)


def _has_changed(row: FileRow) -> bool:
    """Whether a file on disk is another than the one that was indexed; one that cannot be reached is not."""
    try:
        found = os.stat(row.path)  # noqa: PTH116 - a path of any bytes
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) != (row.size, row.mtime_ns)
