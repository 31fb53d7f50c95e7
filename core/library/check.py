"""Checks of the database, the files and the index against each other; nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.catalogue.catalogue import Catalogue
from core.catalogue.models import FileState
from core.catalogue.statistic import changed_files, check_integrity, library_statistics
from core.index import LibraryIndex


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str
    ok: bool
    message: str


def check_library(catalogue: Catalogue, index: LibraryIndex, *, model_id: str) -> list[Finding]:
    """All checks, in the order in which trouble spreads."""
    report = check_integrity(catalogue)
    statistics = library_statistics(catalogue)
    references = [f"{report.broken_references} rows refer to nothing."] if report.broken_references else []
    lacking = (
        [f"{report.incomplete_files} files lack embeddings; `earshot index` makes them."]
        if report.incomplete_files
        else []
    )
    changed = list(changed_files(catalogue))
    complaints = [
        f"{len(changed):,} indexed files are gone or changed, the first of them {path}; run `earshot index`."
        for path in changed[:1]
    ]
    ready = statistics.files(FileState.READY)
    windows = statistics.windows.get(model_id, 0)
    return [
        _finding("database", report.damage, "sound in structure"),
        _finding("references", references, "every row refers to something"),
        _finding("embeddings", lacking, f"every indexed file has its windows, {windows:,} in all"),
        _finding("files", complaints, f"all {ready:,} indexed files are as they were"),
        _finding("index", index.verify(), f"agrees with the database on {index.count:,} windows"),
    ]


def _finding(check: str, complaints: Sequence[str], praise: str) -> Finding:
    return Finding(check, not complaints, " ".join(complaints) or praise)
