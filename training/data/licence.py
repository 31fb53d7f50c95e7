"""What a model was trained on, told for its card."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from core.encoders.card import DataSource
from training.data.dataset import Clip

_UNKNOWN = "not told"


def data_sources(clips: Sequence[Clip], *, what: str = "Described sounds") -> tuple[DataSource, ...]:
    """Clips that were learned from, by family of licence, the largest first.

    Args:
        clips: A clip without a family of licences counts by its licence. Lengths that are not known add no hours.
        what: The clips are, for the name of each source.
    """
    families: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        families[clip.licence_family or clip.licence or _UNKNOWN].append(clip)
    return tuple(
        DataSource(
            name=f"{what}, {family}",
            licence=family,
            hours=round(float(np.nansum([clip.duration_s for clip in own])) / 3600, 3),
            items=len(own),
            note=f"{len({clip.source for clip in own})} sources",
        )
        for family, own in sorted(families.items(), key=lambda item: -len(item[1]))
    )
