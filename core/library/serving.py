"""One model with all that answers by it: its index, its calibration, the engine, and the encoder when it is needed."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.catalogue.catalogue import Catalogue
from core.catalogue.models import FileState
from core.catalogue.repository import FileRow, Repository
from core.catalogue.vectors import CatalogueVectors
from core.encoders.load import InstalledModel, load_dual_encoder, load_relevance
from core.encoders.windows import pool_windows
from core.index import index_folder, open_index
from core.jobs import CancelToken
from core.search.clip import embed_clip
from core.search.engine import SearchEngine
from core.search.query import ClipPart
from core.types import FloatArray, Span

if TYPE_CHECKING:
    from core.encoders.card import ModelCard
    from core.encoders.protocol import DualEncoder

Device = Literal["auto", "cuda", "cpu"]
# Times of hits are windows' own, but for rounding on the way through a question.
_SAME_MOMENT_S = 0.01


class ServedModel:
    """A model at work in one library; may be used from several threads.

    Args:
        catalogue: The library's database.
        folder: The library's folder.
        model: The model.
        device: Where sounds are embedded.

    Raises:
        ModelError: The model is incomplete or damaged.
    """

    def __init__(self, catalogue: Catalogue, folder: Path, model: InstalledModel, *, device: Device) -> None:
        self.model = model
        self._device: Device = device
        self._loading = threading.Lock()
        self._loaded: DualEncoder | None = None
        card = model.card
        vectors = CatalogueVectors(catalogue, model_id=card.id, dimension=card.dimension)
        # The index on disk is written only under the writer's lock; opening it must not write.
        self.index = open_index(index_folder(folder, card.id), vectors, read_only=catalogue.read_only)
        self.repository = Repository(catalogue, model_id=card.id, dimension=card.dimension)
        self.engine = SearchEngine(
            self.repository,
            self.index,
            encoder=self.encoder,
            clip_vector=self._clip_vector,
            relevance=load_relevance(model.folder),
        )

    @property
    def card(self) -> ModelCard:
        """Who the model is."""
        return self.model.card

    def encoder(self) -> DualEncoder:
        """The encoder, loaded when it is first needed.

        Raises:
            ModelError: Its files are damaged, or the device is not there.
        """
        with self._loading:
            if self._loaded is None:
                self._loaded = load_dual_encoder(self.model.folder, device=self._device)
            return self._loaded

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        """Load what a question in words needs and what its answers are found by.

        Raises:
            CancelledError: The token was set.
            ModelError: The encoder's files are damaged, or the device is not there.
        """
        self.encoder().embed_text(["a sound"])
        self.index.load(cancel)

    def _clip_vector(self, clip: ClipPart) -> FloatArray:
        """The vector (d,) of an example clip.

        A file, or windows of it, that are indexed as they are on disk are not decoded again; that holds also for what
        lies on a disk that is not there at present.
        """
        known = self.repository.file_at(clip.path)
        if known is not None and known.state is FileState.READY and not _has_changed(known):
            if clip.span is None:
                vector = self.repository.file_vector(known.id)
            else:
                vector = self._span_vector(known.id, clip.span)
            if vector is not None:
                return vector
        return embed_clip(self.encoder(), clip)

    def _span_vector(self, file_id: int, span: Span) -> FloatArray | None:
        """The vector (d,) of a stretch that begins and ends with windows of the index, else None."""
        windows = self.repository.windows_of_files(np.array([file_id]))
        inside = (windows.starts_s >= span.start_s - _SAME_MOMENT_S) & (windows.ends_s <= span.end_s + _SAME_MOMENT_S)
        if not inside.any():
            return None
        windows = windows.taken(inside)
        if windows.starts_s.min() - span.start_s > _SAME_MOMENT_S or span.end_s - windows.ends_s.max() > _SAME_MOMENT_S:
            return None
        exists, vectors = self.repository.known_vectors(windows.labels)
        return pool_windows(vectors, (windows.ends_s - windows.starts_s)[exists]) if exists.any() else None


def _has_changed(row: FileRow) -> bool:
    """Whether a file on disk is another than the one that was indexed; one that cannot be reached is not."""
    try:
        found = os.stat(row.path)  # noqa: PTH116 - a path of any bytes
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) != (row.size, row.mtime_ns)
