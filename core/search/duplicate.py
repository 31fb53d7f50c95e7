"""Files that are the same sound, to the byte or to the ear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from core.catalogue.repository import Repository
from core.index.protocol import VectorIndex
from core.types import IntArray

NEAR_SIMILARITY = 0.98
"""Cosine between two files from which on they count as near duplicates: another format, level or a trimmed end."""

# A near duplicate has windows near those of the file, so a few of them find it.
_PROBES = 8
_NEIGHBOURS = 64


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Another file with the same sound.

    Attributes:
        kind: "exact": the same bytes; "near": other bytes that sound almost the same.
        similarity: Cosine between the two files, -1 to 1; 1 for equal bytes.
    """

    file_id: int
    path: Path
    kind: Literal["exact", "near"]
    similarity: float


def find_duplicates(repository: Repository, index: VectorIndex, file_id: int) -> tuple[Duplicate, ...]:
    """Other files that are or sound the same: equal ones first, then by similarity. Missing files are left out."""
    exact = set(repository.ids_of_same_bytes(file_id))
    near = _near(repository, index, file_id)
    ranked = sorted(
        [(1.0, other) for other in exact] + [(score, other) for other, score in near.items() if other not in exact],
        key=lambda pair: (pair[1] not in exact, -pair[0], pair[1]),
    )
    files = repository.files_by_id([other for _, other in ranked])
    return tuple(
        Duplicate(other, files[other].path, "exact" if other in exact else "near", score)
        for score, other in ranked
        if other in files
    )


def _near(repository: Repository, index: VectorIndex, file_id: int) -> dict[int, float]:
    """Cosine by id of the files that sound almost as a file does."""
    own = repository.file_vector(file_id)
    if own is None:
        return {}
    index.refresh()
    labels = repository.labels_of_files(np.asarray([file_id], dtype=np.int64))
    probes = labels[np.unique(np.linspace(0, len(labels) - 1, min(_PROBES, len(labels))).round().astype(int))]
    found: list[IntArray] = [
        index.search(vector, _NEIGHBOURS + len(labels))[0] for vector in repository.known_vectors(probes)[1]
    ]
    if not found:
        return {}
    files = repository.windows_of_labels(np.unique(np.concatenate(found))).files
    others = np.setdiff1d(np.unique(files), np.append(repository.missing_file_ids(), file_id))
    return {
        other: similarity
        for other, vector in repository.file_vectors(others).items()
        if (similarity := float(np.vecdot(vector, own))) >= NEAR_SIMILARITY
    }
