"""What a loss is given. Losses know features and who belongs to whom, and nothing of towers.

Shape legend: q texts, b sounds, d embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Features of one batch.

    Attributes:
        text: (q, d) unit length.
        audio: (b, d) unit length.
        matches: (q, b) True where a text is known to describe a sound.
        estimates: (q, b) a teacher's scores; higher fits better.
    """

    text: Tensor
    audio: Tensor
    matches: Tensor
    estimates: Tensor
