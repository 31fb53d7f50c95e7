"""Which kinds of sound a model takes for which: of the first five answers to the captions of one kind, the kinds.

Shape legend: q captions, n clips, k kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.types import FloatArray
from training.analysis.plot import new_figure, save_figure
from training.data.manifest import Clip

_LOOKED_AT = 5
_TOLD = 0.15


@dataclass(frozen=True, slots=True)
class Confusion:
    """What is found when a kind is asked for.

    Attributes:
        kinds: k names.
        shares: (k, k); row: the kind that was asked for; column: the share of the answers that are of this kind.
    """

    kinds: tuple[str, ...]
    shares: FloatArray

    def mistakes(self) -> list[tuple[str, str, float]]:
        """(asked, found, share) of all that are not the kind itself, the most frequent first."""
        count = len(self.kinds)
        pairs = [(row, column) for row in range(count) for column in range(count) if row != column]
        pairs.sort(key=lambda pair: -self.shares[pair])
        return [(self.kinds[row], self.kinds[column], float(self.shares[row, column])) for row, column in pairs]


def confusion(scores: FloatArray, carried: npt.NDArray[np.bool_], clips: Sequence[Clip]) -> Confusion:
    """Count the kinds among the first five answers of every caption.

    Args:
        scores: (q, n).
        carried: (q, n) whether a clip carries a caption; the caption counts for the kinds of all clips that do.
        clips: n of them.
    """
    kinds = tuple(sorted({clip.category for clip in clips}))
    number = {kind: row for row, kind in enumerate(kinds)}
    of_clip = np.asarray([number[clip.category] for clip in clips])
    first = of_clip[np.argsort(-scores, axis=1, kind="stable")[:, :_LOOKED_AT]]
    counts = np.zeros((len(kinds), len(kinds)))
    for asked, found in zip(carried, first, strict=True):
        for row in set(of_clip[asked].tolist()):
            np.add.at(counts[row], found, 1.0)
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return Confusion(kinds, np.asarray(counts / totals, dtype=np.float32))


def plot_confusion(found: Confusion, path: Path) -> None:
    """Draw it as a table of shades; shares from .15 on are told as numbers.

    Raises:
        PlotError: matplotlib is not installed.
    """
    count = len(found.kinds)
    figure = new_figure(width=0.34 * count + 2.2, height=0.3 * count + 1.6)
    axes = figure.add_subplot()
    axes.imshow(found.shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_xticks(range(count), found.kinds, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(count), found.kinds, fontsize=8)
    axes.set_xlabel("kind of the first five answers")
    axes.set_ylabel("kind that a caption asks for")
    for row, column in np.argwhere(found.shares >= _TOLD).tolist():
        share = float(found.shares[row, column])
        ink = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=ink)
    save_figure(figure, path)
