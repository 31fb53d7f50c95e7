"""What search and indexing use of a model.

Shape legend: b batch, n samples, t frames, f mel bins, d embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from core.encoders.card import ModelCard
from core.jobs import Notice
from core.types import FloatArray


class FeatureStream(Protocol):
    """Features of a sound that arrives in blocks; equal to those of the whole sound at once."""

    def push(self, samples: FloatArray) -> FloatArray:
        """Take the next block (n,) and give the frames (t, f) that are now complete."""
        ...

    def finish(self) -> FloatArray:
        """The frames (t, f) that waited for the end; the stream is then used up."""
        ...


class DualEncoder(Protocol):
    """Text and sound in one space: similarity is the dot product of two embeddings.

    An embedding depends on nothing but its own sound or text: not on the batch, the thread or the run.
    Every method may be called from several threads at once.
    """

    @property
    def card(self) -> ModelCard:
        """Who the model is: id, dimension, sample rate, window, hop, calibration."""
        ...

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where sounds are embedded."""
        ...

    def prepare_worker_thread(self) -> None:
        """Call once in each thread that indexes beside others: it then computes on one core only."""
        ...

    def take_notices(self) -> list[Notice]:
        """What the user should know about the device (the GPU ran out of memory) and was not yet given out."""
        ...

    def features(self, samples: FloatArray) -> FloatArray:
        """Log-mel of a whole sound: (n,) at the card's sample rate -> (t, f)."""
        ...

    def feature_stream(self) -> FeatureStream:
        """The same for a sound of any length in constant memory."""
        ...

    def embed_features(self, windows: Sequence[FloatArray]) -> FloatArray:
        """Slices (t_i, f) of features, at most a window long each -> (b, d) float32 of unit length."""
        ...

    def embed_audio(self, clips: Sequence[FloatArray]) -> FloatArray:
        """Clips (n_i,) -> (b, d); clips beyond one window are the mean of their windows."""
        ...

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Texts -> (b, d) float32 of unit length."""
        ...
