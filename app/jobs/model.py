"""Loads the encoder in the background and says how far that is."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from core.errors import KnownError

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs.runner import JobRunner
    from core.encoders.protocol import DualEncoder
    from core.library import Library


class ModelState(StrEnum):
    """What became of the encoder."""

    WAITING = "waiting"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class ModelLoader(QObject):
    """Has the library load its encoder on another thread. Words, names and filters are searched meanwhile.

    Attributes:
        changed: The state is another than before.
    """

    changed = Signal()

    def __init__(
        self, *, library: Library, runner: JobRunner, errors: ErrorCentre, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._library, self._runner, self._errors = library, runner, errors
        self.state = ModelState.WAITING
        self.device = ""
        self.model_id = library.card.id
        self.message = ""

    def load(self) -> None:
        """Begin, unless it has begun already."""
        if self.state in (ModelState.LOADING, ModelState.READY):
            return
        self._set(ModelState.LOADING)
        self._runner.call(
            self._library.encoder, on_result=self._on_loaded, on_failed=self._on_failed, name="load the model"
        )

    @property
    def successor_id(self) -> str:
        """The model that answers as soon as it knows all sounds; empty where none is on its way."""
        wanted = self._library.wanted_card.id
        return wanted if wanted != self._library.card.id else ""

    def follow(self) -> None:
        """Take up another model where that has begun to answer in the place of this one."""
        if self._library.card.id == self.model_id:
            return
        self.model_id, self.message = self._library.card.id, ""
        if self.state in (ModelState.READY, ModelState.FAILED):
            self.state = ModelState.WAITING
            self.load()
        else:
            self.changed.emit()

    def _on_loaded(self, encoder: DualEncoder) -> None:
        self.device = "CUDA" if encoder.device == "cuda" else "CPU"
        self._set(ModelState.READY)

    def _on_failed(self, error: BaseException) -> None:
        self.message = str(error)
        self._set(ModelState.FAILED)
        if isinstance(error, KnownError):
            self._errors.known(error)
        else:
            self._errors.raised(error)

    def _set(self, state: ModelState) -> None:
        self.state = state
        self.changed.emit()
