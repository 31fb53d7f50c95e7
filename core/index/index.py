"""The vector index of a library: graphs for the bulk of its rows, exact search for the rest."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import LibraryBusyError, LibraryError
from core.index.agreement import disagreement
from core.index.building import BuildOrder, Built, build_segment
from core.index.coverage import gaps_between, records_of, sealed_row_of
from core.index.folder import IndexFolder, SavedIndex, Signature
from core.index.graph import scan_file
from core.index.manifest import Manifest, UnusableIndexError
from core.index.protocol import VectorSource
from core.index.ranking import Scored
from core.index.reading import Gap, read_rows
from core.index.segment import Part
from core.index.setting import IndexSettings
from core.index.snapshot import Snapshot
from core.index.tail import Tail
from core.jobs import CancelToken, Progress
from core.types import FloatArray, IntArray

_log = logging.getLogger(__name__)

_CHECK_ATTEMPTS = 3


def index_folder(library: Path, model_id: str) -> Path:
    """Where in a library's folder the index of a model's vectors lies."""
    return library / "index" / re.sub(r"[^A-Za-z0-9._-]|^\.+", "_", model_id)


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What an index consists of.

    Attributes:
        count: Rows that a search looks at.
        graph_rows: Living rows in graphs.
        memory_rows: Rows in memory that are searched exactly.
        dead_rows: Removed rows that graphs still hold.
        segments: Number of graphs.
        complete: Whether searches need not read the catalogue.
        problem: Why the index has to be built again, or an empty string.
    """

    count: int
    graph_rows: int
    memory_rows: int
    dead_rows: int
    segments: int
    complete: bool
    problem: str


class LibraryIndex:
    """Implements `core.index.protocol.VectorIndex`; made by `open_index`.

    Searches run on an immutable snapshot and wait for nobody. `_lock` guards the making of the next snapshot, which
    is short; `_building` guards the job that builds graphs, which is long.

    Args:
        folder: Where the index is saved.
        source: The truth.
        read_only: Never write; take up what another process saves.
        settings: Sizes and thresholds.
    """

    def __init__(self, folder: IndexFolder, source: VectorSource, *, read_only: bool, settings: IndexSettings) -> None:
        self._folder = folder
        self._source = source
        self._read_only = read_only
        self._settings = settings
        self._lock = threading.RLock()
        self._building = threading.Lock()
        self._problem = ""
        self._signature: Signature | None = None
        self._saved: Manifest | None = None
        self._seen_row = -1
        self._removed_seq: int | None = None
        self._snapshot = Snapshot((), (), Tail.empty(source.dimension, after_row=0))
        with self._lock:
            self._adopt(folder.load())
            self._agrees_with_source()

    # What searches use

    @property
    def count(self) -> int:
        """Rows that a search looks at."""
        snapshot = self._snapshot
        return snapshot.graph_count + snapshot.tail.count if snapshot.complete else self._source.count()

    def status(self) -> IndexStatus:
        """What the index consists of at the moment."""
        snapshot = self._snapshot
        held = sum(part.segment.record.rows for part in snapshot.parts)
        return IndexStatus(
            count=self.count,
            graph_rows=snapshot.graph_count,
            memory_rows=snapshot.tail.count,
            dead_rows=held - snapshot.graph_count,
            segments=len(snapshot.parts),
            complete=snapshot.complete,
            problem=self._problem,
        )

    def search(self, query: FloatArray, k: int, *, allowed: IntArray | None = None) -> Scored:
        """The k best rows for a query (d,): see `VectorIndex.search`.

        Raises:
            ValueError: The query has another dimension or holds NaN or infinity, or k is below 1.
        """
        if k < 1:
            raise ValueError(f"a search gives 1 result or more, not {k}")
        given = np.asarray(query)
        if given.shape != (self._source.dimension,):
            raise ValueError(
                f"the query has the shape {given.shape}, the index holds vectors of {self._source.dimension} numbers"
            )
        with np.errstate(over="ignore"):
            query = given.astype(np.float32)
        if not np.isfinite(query).all():
            raise ValueError("the query holds a value that is not a finite number")
        if allowed is not None:
            allowed = np.asarray(allowed, np.int64)
            if np.any(allowed[1:] <= allowed[:-1]):
                allowed = np.unique(allowed)
        return self._snapshot.search(query, k, allowed, self._source, self._settings.stream_rows)

    def held(self, labels: IntArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """The vectors that are at hand: see `VectorIndex.held`."""
        return self._snapshot.held(np.asarray(labels, np.int64))

    def load(self, token: CancelToken | None = None) -> None:
        """Load the graphs, which otherwise the second search waits for.

        Raises:
            CancelledError: The token was set; it is looked at between two graphs.
        """
        for part in self._snapshot.parts:
            if token is not None:
                token.check()
            part.load()

    # Following the source

    def refresh(self) -> bool:
        """Take up what was committed since the last look: see `VectorIndex.refresh`."""
        with self._lock:
            before = self._snapshot
            if self._read_only:
                self._look_at_folder()
            self._follow()
            return self._snapshot is not before

    def _look_at_folder(self) -> None:
        if self._folder.signature() != self._signature:
            self._adopt(self._folder.load(tuple(part.segment for part in self._snapshot.parts)))
            self._agrees_with_source()

    def _follow(self) -> bool:
        before = self._snapshot
        if self._source.last_row() != self._seen_row:
            self._snapshot = self._filled(self._snapshot)
        removed, seq = self._source.removed_after(self._removed_seq or 0)
        if removed.size:
            removed = np.asarray(removed, np.int64)
            self._snapshot = replace(
                self._snapshot,
                parts=tuple(part.without(removed) for part in self._snapshot.parts),
                tail=self._snapshot.tail.without(removed),
            )
        self._removed_seq = seq
        return self._snapshot is not before

    def _filled(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot whose tail has taken in what follows it, as far as there is room."""
        self._seen_row = self._source.last_row()
        tail, overflow = snapshot.tail, False
        while not overflow:
            room = max(0, self._settings.memory_rows - tail.count)
            limit = min(room, self._settings.stream_rows) or 1
            rows = next(read_rows(self._source, Gap(tail.through_row, None), limit), None)
            if rows is None:
                break
            if room:
                tail = tail.extended(*rows)
            else:
                overflow = True
        if tail is snapshot.tail and overflow == snapshot.overflow:
            return snapshot
        return replace(snapshot, tail=tail, overflow=overflow)

    def _adopt(self, saved: SavedIndex) -> None:
        """Make what was found in the folder the index."""
        manifest = saved.manifest
        starts = [segment.record.removed_seq for segment in saved.segments]
        starts += [manifest.removed_seq] if manifest is not None else [0]
        starts += [self._removed_seq] if self._removed_seq is not None else []
        removed, self._removed_seq = self._source.removed_after(min(starts))
        sealed_row = manifest.last_row if manifest is not None else 0
        tail = self._snapshot.tail
        if tail.after_row <= sealed_row <= tail.through_row:
            tail = tail.beginning_after(sealed_row).without(removed)
        else:
            tail = Tail.empty(self._source.dimension, after_row=sealed_row)
        parts = tuple(Part(segment, removed, self._settings) for segment in saved.segments)
        self._problem = saved.problem
        self._signature = saved.signature
        self._saved = manifest
        self._snapshot = self._filled(Snapshot(parts, gaps_between(parts, sealed_row), tail))

    # Whether the index and the source speak of the same rows

    def _agrees_with_source(self) -> bool:
        """Compare with the source; where it has changed without a trace, drop all graphs and answer False."""
        with self._lock:
            for _ in range(_CHECK_ATTEMPTS):
                problem = disagreement(self._snapshot, self._source)
                if not problem:
                    return True
                if self._follow():  # it was changed while being compared
                    continue
                _log.warning("The search index has to be built again: %s", problem)
                self._problem = problem
                tail = Tail.empty(self._source.dimension, after_row=0)
                self._snapshot = self._filled(Snapshot((), (), tail))
                return False
            return True

    def verify(self) -> tuple[str, ...]:
        """Read every graph's file again and compare with the source.

        Returns:
            What is wrong, one sentence each; nothing when all is well.
        """
        self.refresh()
        found = [self._problem] if self._problem else []
        for part in self._snapshot.parts:
            record = part.segment.record
            try:
                if scan_file(part.segment.path, self._source.dimension).crc32 != record.crc32:
                    found.append(f"{record.file} is damaged.")
            except (OSError, UnusableIndexError) as error:
                found.append(f"{record.file} cannot be used: {error}")
        with self._lock:
            self._follow()
            problem = disagreement(self._snapshot, self._source)
        return (*found, problem) if problem else tuple(found)

    # The long work

    def catch_up(self, token: CancelToken | None = None) -> Iterator[Progress]:
        """Build what is missing and save it: see `VectorIndex.catch_up`.

        Raises:
            CancelledError: The token was set; graphs built so far are kept.
            LibraryError: The folder cannot be written, or the index was opened read-only.
            LibraryBusyError: Another thread is doing so.
        """
        if self._read_only:
            raise LibraryError("This library was opened for reading only; its search index cannot be built.")
        if not self._building.acquire(blocking=False):
            raise LibraryBusyError("The search index is being built already.", "Wait until that is done.")
        try:
            token = token or CancelToken()
            with self._lock:
                self._look_at_folder()  # somebody may have deleted it
            self.refresh()
            for _ in range(2):
                stage = "rebuild" if self._problem else "graph"
                yield from self._fill_gaps(token, stage)
                yield from self._compact(token)
                yield from self._grow(token, stage)
                if self._agrees_with_source():
                    self._problem = ""
                    break
            self._save()
        finally:
            self._building.release()

    def _fill_gaps(self, token: CancelToken, stage: str) -> Iterator[Progress]:
        done = 0
        while self._snapshot.gaps:
            snapshot = self._snapshot
            outside = max(0, self._source.count() - snapshot.graph_count - snapshot.tail.count)
            order = self._order(snapshot.gaps[0], outside)
            total = None if snapshot.overflow else done + outside
            done += yield from self._replace(order, token, Progress(stage, done, total))

    def _compact(self, token: CancelToken) -> Iterator[Progress]:
        for part in self._snapshot.parts:
            if part.dead_share > self._settings.dead_share:
                record = part.segment.record
                # Half of a new graph would serve worse than the old one.
                order = self._order(Gap(record.after_row, record.last_row), part.count, keep_half=False)
                yield from self._replace(order, token, Progress("compact", 0, part.count))

    def _grow(self, token: CancelToken, stage: str) -> Iterator[Progress]:
        settings = self._settings
        done = 0
        while True:
            self.refresh()
            snapshot = self._snapshot
            outside_rows = settings.tail_rows if snapshot.parts else settings.exact_rows
            if snapshot.tail.count <= outside_rows and not snapshot.overflow:
                return
            base = snapshot.parts[-1].segment if snapshot.parts else None
            if base is not None and base.record.rows + settings.tail_rows > settings.segment_rows:
                base = None
            pending = max(snapshot.tail.count, self._source.count() - snapshot.graph_count)
            order = replace(self._order(Gap(snapshot.tail.after_row, None), pending), base=base)
            added = yield from self._replace(order, token, Progress(stage, done, done + pending))
            if not added:  # the rows vanished without a trace, which the comparison with the source will notice
                return
            done += added

    def _order(self, rows: Gap, expected: int, *, keep_half: bool = True) -> BuildOrder:
        searched = any(part.segment.loaded for part in self._snapshot.parts)
        return BuildOrder(rows, expected, self._removed_seq or 0, keep_graph=searched, keep_half=keep_half)

    def _replace(self, order: BuildOrder, token: CancelToken, progress: Progress) -> Generator[Progress, None, int]:
        """Build a graph, put it in the place of what covered its rows, save; returns the rows added."""
        built = yield from build_segment(
            order,
            source=self._source,
            folder=self._folder,
            settings=self._settings,
            token=token,
            progress=progress,
        )
        self._install(order, built)
        self._save()
        if built.cancelled:
            token.check()
        return built.added

    def _install(self, order: BuildOrder, built: Built) -> None:
        with self._lock:
            snapshot = self._snapshot
            parts = [part for part in snapshot.parts if not _covers(order, part)]
            gaps = [gap for gap in snapshot.gaps if gap.after_row != order.rows.after_row]
            gaps += [built.remainder] if built.remainder else []
            tail = snapshot.tail
            if built.segment is not None:
                record = built.segment.record
                # Rows that were removed while the graph was being built are in it, and dead.
                removed, _ = self._source.removed_after(record.removed_seq)
                parts.append(Part(built.segment, removed, self._settings))
                if tail.after_row < record.last_row <= tail.through_row:
                    tail = tail.beginning_after(record.last_row)
                elif tail.through_row < record.last_row:
                    tail = Tail.empty(self._source.dimension, after_row=record.last_row)
            parts.sort(key=lambda part: part.segment.record.after_row)
            gaps.sort(key=lambda gap: gap.after_row)
            self._snapshot = self._filled(Snapshot(tuple(parts), tuple(gaps), tail))

    def _save(self) -> None:
        with self._lock:
            snapshot, removed_seq = self._snapshot, self._removed_seq or 0
        records = records_of(snapshot)
        manifest = Manifest(
            model_id=self._source.model_id,
            dimension=self._source.dimension,
            count=snapshot.graph_count,
            last_row=sealed_row_of(snapshot),
            removed_seq=min((record.removed_seq for record in records), default=removed_seq),
            segments=records,
        )
        if manifest != self._saved:
            self._folder.save_manifest(manifest)
            self._saved = manifest
            self._signature = self._folder.signature()
        self._folder.clear_litter(manifest)


def _covers(order: BuildOrder, part: Part) -> bool:
    """Whether the graph that was ordered takes the place of this one."""
    if part.segment is order.base:
        return True
    record = part.segment.record
    return order.rows.last_row is not None and (
        order.rows.after_row <= record.after_row and record.last_row <= order.rows.last_row
    )


def open_index(
    folder: Path, source: VectorSource, *, read_only: bool, settings: IndexSettings | None = None
) -> LibraryIndex:
    """Open the index of a source's vectors, and bring it up to date as far as that is quick.

    What is missing, stale or damaged is not used: its rows are searched exactly, in memory as far as they fit and else
    from the source, until `LibraryIndex.catch_up` has built it again.

    Args:
        folder: The index's own folder (see `index_folder`); it need not exist.
        source: The vectors.
        read_only: Whether another process may be writing there. One process at most may say False.
        settings: Sizes and thresholds.
    """
    settings = settings or IndexSettings()
    index_files = IndexFolder(folder, model_id=source.model_id, dimension=source.dimension, settings=settings)
    return LibraryIndex(index_files, source, read_only=read_only, settings=settings)
