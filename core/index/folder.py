"""The index's folder: what lies in it, and in which order it is written and thrown away."""

from __future__ import annotations

import logging
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from core.errors import LibraryError
from core.index.durable import TEMPORARY_SUFFIX, write_durably
from core.index.graph import FileScan, GraphBuilder, scan_file
from core.index.manifest import (
    MANIFEST_NAME,
    Manifest,
    SegmentRecord,
    UnusableIndexError,
    load_manifest,
    save_manifest,
)
from core.index.segment import Segment
from core.index.setting import IndexSettings

_log = logging.getLogger(__name__)

Signature = tuple[int, int, int]

_OPEN_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class SavedIndex:
    """What was found in the folder.

    Attributes:
        manifest: The manifest, or None when there is none that can be used.
        segments: The graphs that are whole, by ascending label.
        damaged: Records of the graphs that are not.
        problem: Why something has to be built again, or an empty string.
        signature: Tells one manifest file from another.
    """

    manifest: Manifest | None
    segments: tuple[Segment, ...]
    damaged: tuple[SegmentRecord, ...]
    problem: str
    signature: Signature | None


class IndexFolder:
    """Reads and writes one index's files.

    A graph's file is written once under a name of its own and never touched again; the manifest, replaced last, says
    which files count. So a reader in another process has a consistent set at all times.
    """

    def __init__(self, path: Path, *, model_id: str, dimension: int, settings: IndexSettings) -> None:
        self.path = path
        self._model_id = model_id
        self._dimension = dimension
        self._settings = settings

    def signature(self) -> Signature | None:
        """Changes whenever the manifest was replaced; None when there is none."""
        try:
            stat = (self.path / MANIFEST_NAME).stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def load(self, known: tuple[Segment, ...] = ()) -> SavedIndex:
        """Open what was saved, taking over segments that are open already.

        A writer may replace files while this reads; then it starts over.
        """
        for attempt in range(_OPEN_ATTEMPTS):
            signature = self.signature()
            saved = self._load_once(signature, known)
            if not saved.problem or signature == self.signature():
                break
            time.sleep(0.01 * attempt)
        if saved.problem:
            _log.warning("The search index has to be built again: %s", saved.problem)
        return saved

    def _load_once(self, signature: Signature | None, known: tuple[Segment, ...]) -> SavedIndex:
        try:
            manifest = load_manifest(self.path, model_id=self._model_id, dimension=self._dimension)
        except UnusableIndexError as error:
            return SavedIndex(None, (), (), str(error), signature)
        if manifest is None:
            return SavedIndex(None, (), (), "", signature)
        by_name = {segment.record.file: segment for segment in known}

        def open_segment(record: SegmentRecord) -> Segment | UnusableIndexError:
            segment = by_name.get(record.file)
            if segment is not None and segment.record.crc32 == record.crc32 and segment.path.exists():
                return segment
            try:
                return Segment.open(self.path, record, dimension=self._dimension, settings=self._settings)
            except UnusableIndexError as error:
                return error

        # Check sums are computed without the interpreter's lock: two at a time keep a disk busy.
        with ThreadPoolExecutor(2) as pool:
            opened = list(pool.map(open_segment, manifest.segments))
        segments = tuple(found for found in opened if isinstance(found, Segment))
        problems = [str(found) for found in opened if not isinstance(found, Segment)]
        whole = {segment.record.file for segment in segments}
        damaged = tuple(record for record in manifest.segments if record.file not in whole)
        return SavedIndex(manifest, segments, damaged, " ".join(problems), signature)

    def save_segment(
        self,
        builder: GraphBuilder,
        *,
        after_row: int,
        last_row: int,
        removed_seq: int,
        keep_graph: bool,
    ) -> Segment:
        """Write a graph that covers a range of labels; it counts once a manifest names it.

        Args:
            builder: Holds the graph.
            after_row: The graph covers the source's rows above this label
            last_row: and up to this one.
            removed_seq: Last tombstone when reading of its oldest rows began.
            keep_graph: Whether the segment keeps the graph in memory, or loads it when it is searched.

        Raises:
            LibraryError: The file cannot be written.
        """
        path = self.path / f"segment-{after_row + 1:x}-{last_row:x}-{secrets.token_hex(4)}.hnsw"
        scans: list[FileScan] = []

        def write(temporary: Path) -> None:
            builder.write(temporary)
            scans.append(scan_file(temporary, self._dimension))

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_durably(path, write)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        (scan,) = scans
        record = SegmentRecord(
            file=path.name,
            rows=int(scan.labels.size),
            after_row=after_row,
            last_row=last_row,
            removed_seq=removed_seq,
            size_bytes=scan.size_bytes,
            crc32=scan.crc32,
        )
        graph = builder.graph if keep_graph else None
        return Segment(path, record, scan, dimension=self._dimension, settings=self._settings, graph=graph)

    def save_manifest(self, manifest: Manifest) -> None:
        """Make a set of graphs the index.

        Raises:
            LibraryError: The manifest cannot be written; the old one stands.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            save_manifest(self.path, manifest)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def clear_litter(self, manifest: Manifest) -> None:
        """Delete the files that were once part of the index, or were to be, and are not in its saved manifest."""
        kept = {record.file for record in manifest.segments}
        written = rf"(segment-[0-9a-f-]+\.hnsw|{re.escape(MANIFEST_NAME)})"
        ours = re.compile(rf"{written}(\.[0-9a-f]+{re.escape(TEMPORARY_SUFFIX)})?")
        for path in self.path.iterdir():
            if path.name in kept or path.name == MANIFEST_NAME or not ours.fullmatch(path.name):
                continue
            try:
                path.unlink()
            except OSError as error:
                # Some systems keep files that a reader has open; the next save tries again.
                _log.info("%s cannot be deleted yet: %s", path.name, error)


def _unwritable(path: Path, error: OSError) -> LibraryError:
    return LibraryError(
        f"The search index in {path} cannot be written ({error.strerror or error}).",
        "Check that the disk has free space and that you may write there; searches work meanwhile, more slowly.",
    )
