"""What a model's known texts say of a library's windows, kept from one question to the next.

A window's level (`core.encoders.known_text`) is the same whatever is asked, and while somebody types, one question's
windows are mostly the last one's.

Shape legend: m windows, d dimension.
"""

from __future__ import annotations

import numpy as np

from core.encoders.known_text import KnownTexts, Recall
from core.types import FloatArray, IntArray

# So many labels in a row share a page of 4 bytes each.
_PAGE_LABELS = 2**16


class WindowLevels:
    """The levels of one library's windows by one model, each worked out once; may be used from several threads.

    There is nothing to forget: a label is given to one vector, which never changes, and to no other after it (see
    `core.catalogue.models.Embedding`).

    Args:
        known: The model's known texts.
    """

    def __init__(self, known: KnownTexts) -> None:
        self._known = known
        # NaN where a level is not known yet. Two threads may work out the same one; it is the same to the last bit.
        self._pages: dict[int, FloatArray] = {}

    def recall(self, labels: IntArray, vectors: FloatArray) -> Recall:
        """The windows of some labels (m,) with their vectors (m, d) beside all known texts."""
        level = np.zeros(len(labels), dtype=np.float32)
        pages, places = np.divmod(labels, _PAGE_LABELS)
        for page in np.unique(pages).tolist():
            rows = np.flatnonzero(pages == page)
            kept = self._pages.get(page)
            if kept is None:
                kept = self._pages.setdefault(page, np.full(_PAGE_LABELS, np.nan, dtype=np.float32))
            new = rows[np.isnan(kept[places[rows]])]
            kept[places[new]] = self._known.level(vectors[new])
            level[rows] = kept[places[rows]]
        return Recall(vectors, level)
