"""What a card tells of the sounds that a model was trained on."""

from __future__ import annotations

import math
from pathlib import Path

from training.data.dataset import Clip
from training.data.licence import data_sources


def clip(number: int, *, duration_s: float = 1800.0, family: str = "", licence: str = "", source: str = "a") -> Clip:
    return Clip(
        str(number),
        Path("x.wav"),
        ("a sound",),
        "train",
        duration_s=duration_s,
        licence_family=family,
        licence=licence,
        source=source,
    )


def test_that_sounds_are_counted_by_their_family_of_licences_the_largest_first() -> None:
    clips = [clip(0, family="BY"), *(clip(number, family="CC0/PD", source=str(number)) for number in (1, 2, 3))]
    largest, other = data_sources(clips, what="Bells")
    assert (largest.name, largest.licence, largest.items, largest.hours) == ("Bells, CC0/PD", "CC0/PD", 3, 1.5)
    assert largest.note == "3 sources"
    assert (other.licence, other.items, other.hours) == ("BY", 1, 0.5)


def test_that_a_licence_stands_in_for_its_family_and_its_absence_is_told() -> None:
    found = data_sources([clip(0, licence="CC-BY-4.0"), clip(1)])
    assert [source.licence for source in found] == ["CC-BY-4.0", "not told"]


def test_that_lengths_that_nobody_knows_add_no_hours() -> None:
    (found,) = data_sources([clip(0), clip(1, duration_s=math.nan)])
    assert (found.items, found.hours) == (2, 0.5)
