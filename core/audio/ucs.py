"""File names of the Universal Category System (UCS).

A UCS name is ``CatID[-UserCategory]_FXName_CreatorID_SourceID[_UserData]``, of which only the CatID is mandatory. The
CatID is looked up in the published list as it stands there, upper and lower case included, and is never derived from
other words: "doorwood_creak" is a name like any other, "DOORWood_Creak" is a wooden door.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from core.config import RESOURCES


@dataclass(frozen=True, slots=True)
class UcsCategory:
    """One category of the published list.

    Attributes:
        cat_id: Its short name, for example "DOORWood".
        category: "DOORS".
        subcategory: "WOOD".
        synonyms: Words that people search it by.
    """

    cat_id: str
    category: str
    subcategory: str
    synonyms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UcsName:
    """The parts of a UCS file name; a part that the name lacks is an empty string."""

    cat_id: str
    user_category: str = ""
    fx_name: str = ""
    creator_id: str = ""
    source_id: str = ""
    user_data: str = ""

    @property
    def category(self) -> UcsCategory:
        """The entry of the published list."""
        return ucs_table()[self.cat_id]


@lru_cache(maxsize=1)
def ucs_table() -> Mapping[str, UcsCategory]:
    """The published list by CatID, in its own order."""
    data = json.loads((RESOURCES / "ucs.json").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            cat_id: UcsCategory(cat_id, category, subcategory, tuple(synonyms.split(", ")))
            for cat_id, category, subcategory, synonyms in data["categories"]
        }
    )


def parse_ucs_name(stem: str) -> UcsName | None:
    """Read a file name without its extension; None if it does not begin with a CatID of the list."""
    head, *rest = stem.split("_", 4)
    cat_id, _, user_category = head.partition("-")
    if cat_id not in ucs_table():
        return None
    parts = [*rest, "", "", "", ""]
    return UcsName(cat_id, user_category, *parts[:4])
