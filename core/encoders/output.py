"""What every audio encoder gives back."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class EncoderOutput:
    """One batch through an audio encoder.

    Shape legend: b batch, t output frames, d embedding, c classes.

    Attributes:
        embedding: (b, d) one vector per clip, not normalised.
        frames: (b, t, d) the same sound over time; zero where `frame_mask` is False.
        frame_mask: (b, t) True where a frame belongs to the clip and not to padding.
        frame_times_s: (t,) centre of each frame in seconds from the clip's beginning.
        logits: (b, c) of the classes that the encoder was trained on, or None.
    """

    embedding: Tensor
    frames: Tensor
    frame_mask: Tensor
    frame_times_s: Tensor
    logits: Tensor | None = None
