from __future__ import annotations

import pytest

from core.audio.ucs import UcsName, parse_ucs_name, ucs_table


def test_that_the_published_list_is_complete() -> None:
    table = ucs_table()
    assert len(table) == 752
    assert len({entry.category for entry in table.values()}) == 82
    assert all(entry.synonyms and all(entry.synonyms) for entry in table.values())


def test_that_a_category_knows_its_words() -> None:
    door = ucs_table()["DOORWood"]
    assert (door.category, door.subcategory) == ("DOORS", "WOOD")
    assert "barn" in door.synonyms
    assert any(" " in word for entry in ucs_table().values() for word in entry.synonyms), "phrases stay whole"


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("DOORWood", UcsName("DOORWood")),
        ("DOORWood_Cabin Creak", UcsName("DOORWood", fx_name="Cabin Creak")),
        (
            "DOORWood-INT_Cabin Creak_ABC_MyLib_take 2_close",
            UcsName("DOORWood", "INT", "Cabin Creak", "ABC", "MyLib", "take 2_close"),
        ),
        ("DOORWood-INT-dry_Creak_ABC", UcsName("DOORWood", "INT-dry", "Creak", "ABC")),
        ("DOORWood__ABC_Lib", UcsName("DOORWood", creator_id="ABC", source_id="Lib")),
    ],
)
def test_that_a_name_is_taken_apart(stem: str, expected: UcsName) -> None:
    assert parse_ucs_name(stem) == expected


@pytest.mark.parametrize(
    "stem", ["", "_", "doorwood_Creak", "DOORWOOD_Creak", "DOORWood Creak", "Wooden door", "DOOR_Creak", "XDOORWood"]
)
def test_that_only_a_cat_id_of_the_list_in_its_own_case_counts(stem: str) -> None:
    assert parse_ucs_name(stem) is None


def test_that_a_name_leads_to_its_category() -> None:
    name = parse_ucs_name("RAINMetl_Tin Roof_ABC")
    assert name is not None
    assert (name.category.category, name.category.subcategory) == ("RAIN", "METAL")
