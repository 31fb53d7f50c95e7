"""Values that several rooms share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time inside a file, in seconds from its beginning."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.start_s <= self.end_s:
            raise ValueError(f"a span runs from 0 or later to its own end, not {self.start_s}-{self.end_s}")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says of its sound.

    Attributes:
        container: Short lower-case name of the container: "wav", "aiff", "flac", "ogg", "mp3", "caf", "m4a", ...
        encoding: The codec or sample format as its library names it: "PCM_24", "VORBIS", "aac", ...
        sample_rate_hz: Samples per second and channel.
        channels: Number of channels.
        duration_s: Length in seconds; for compressed files possibly an estimate until decoded.
        bit_depth: Bits per sample where the encoding has such a thing.
    """

    container: str
    encoding: str
    sample_rate_hz: int
    channels: int
    duration_s: float
    bit_depth: int | None = None
