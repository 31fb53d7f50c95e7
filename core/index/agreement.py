"""Whether an index and its source still speak of the same rows."""

from __future__ import annotations

import numpy as np

from core.index.protocol import VectorSource
from core.index.reading import Gap, read_rows
from core.index.snapshot import Snapshot

_COMPARED_ROWS = 8
# Vectors are float16 in the catalogue and float32 here: what differs by more was changed.
_SAME_VECTOR = 1e-3


def disagreement(snapshot: Snapshot, source: VectorSource) -> str:
    """Compare some vectors of each graph, and the number of rows, with the source.

    That finds a catalogue that was restored, replaced or edited behind the index's back. What the catalogue adds and
    removes in the ordinary way must have been taken up before.

    Returns:
        A sentence that says what differs, or an empty string.
    """
    for part in snapshot.parts:
        labels = part.alive_labels
        if not labels.size:
            continue
        chosen = labels[np.unique(np.linspace(0, labels.size - 1, _COMPARED_ROWS).astype(np.int64))]
        held = part.vectors_at(part.places_of(chosen)[0])
        for label, vector in zip(chosen.tolist(), held, strict=True):
            row = next(read_rows(source, Gap(label - 1, label), 1), None)
            if row is None or not np.allclose(row[1][0], vector, rtol=0, atol=_SAME_VECTOR):
                return f"Embedding {label} is not what the catalogue holds."
    count = snapshot.graph_count + snapshot.tail.count
    in_source = source.count()
    if snapshot.complete and count != in_source:
        return f"The index holds {count} embeddings, the catalogue {in_source}."
    return ""
