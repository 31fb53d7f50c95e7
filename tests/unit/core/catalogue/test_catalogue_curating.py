"""Tags, ratings, favourites, collections, searches and captions of a small library without embeddings."""

from __future__ import annotations

import pytest
from small_library import rows, scan_all, write_sound

from core.catalogue import Catalogue
from core.catalogue.browse import desk_rows, file_detail, ordered_ids
from core.catalogue.caption import (
    ModelCaption,
    captions_of,
    edit_caption,
    pending_caption_ids,
    restore_caption,
    store_captions,
)
from core.catalogue.collection import (
    add_to_collection,
    collection_files,
    create_collection,
    delete_collection,
    list_collections,
    remove_from_collection,
    rename_collection,
)
from core.catalogue.saved_search import (
    MOST_REMEMBERED,
    delete_saved_search,
    forget_searches,
    latest_searches,
    list_saved_searches,
    remember_search,
    save_search,
)
from core.catalogue.tag import add_tag, remove_tag, set_favourite, set_rating, tag_counts
from core.errors import LibraryError
from core.search.filter import compile_condition, parse_condition

MODEL = "words-1.0.0"


@pytest.fixture
def filled(catalogue, sounds) -> Catalogue:
    """Three files with the ids 1 to 3, in the order of their names."""
    for number in range(1, 4):
        write_sound(sounds / f"Gate{number}.wav", number, duration_s=0.1)
        scan_all(catalogue, sounds)
    return catalogue


def passing(catalogue: Catalogue, expression: str) -> list[int]:
    return ordered_ids(catalogue, compile_condition(parse_condition(expression))).tolist()


def words(catalogue: Catalogue, expression: str) -> list[int]:
    return [row[0] for row in rows(catalogue, "SELECT rowid FROM file_text WHERE file_text MATCH ?", expression)]


def said(file_id: int, text: str = "a gate creaks", *, is_sure: bool = True) -> ModelCaption:
    return ModelCaption(file_id, text, 0.7, ("gate", "squeak"), ("a door opens",), is_sure)


def test_that_a_tag_counts_filters_and_is_a_word_to_search(filled):
    with filled.write() as session:
        add_tag(session, [1, 2, 999], "  Rusty   Iron ")
        add_tag(session, [2, 3], "rusty iron")
        add_tag(session, [3], "Wood")
    assert [(tag.name, tag.files) for tag in tag_counts(filled)] == [("Rusty Iron", 3), ("Wood", 1)]
    assert desk_rows(filled, [3])[3].tags == ("Rusty Iron", "Wood")
    assert passing(filled, "tag:wood") == [3]
    assert words(filled, "rusty") == [1, 2, 3]
    with filled.write() as session:
        remove_tag(session, [1, 2], "RUSTY IRON")
        remove_tag(session, [3], "wood")
    assert [(tag.name, tag.files) for tag in tag_counts(filled)] == [("Rusty Iron", 1)]
    assert words(filled, "rusty") == [3]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_that_a_tag_without_a_usable_name_is_refused(filled, name):
    with pytest.raises(LibraryError, match="1 to 100 characters"), filled.write() as session:
        add_tag(session, [1], name)


def test_that_ratings_and_favourites_show_filter_and_sort(filled):
    with filled.write() as session:
        set_rating(session, [2, 3], 3)
        set_rating(session, [3], 5)
        set_favourite(session, [1, 2], True)
        set_favourite(session, [1], False)
    found = desk_rows(filled, [1, 2, 3])
    assert [(row.rating, row.is_favourite) for row in found.values()] == [(0, False), (3, True), (5, False)]
    assert passing(filled, "rating>=3") == [2, 3]
    assert passing(filled, "favourite:yes") == [2]
    assert passing(filled, "favourite:no") == [1, 3]
    assert ordered_ids(filled, order="rating", descending=True).tolist() == [3, 2, 1]
    with pytest.raises(ValueError, match="0 to 5"), filled.write() as session:
        set_rating(session, [1], 6)


def test_that_a_collection_keeps_the_order_in_which_files_came(filled):
    with filled.write() as session:
        film = create_collection(session, "Film")
        assert add_to_collection(session, film, [3, 1]) == 2
        assert add_to_collection(session, film, [1, 2, 999]) == 1
    assert collection_files(filled, film).tolist() == [3, 1, 2]
    assert [(row.name, row.files) for row in list_collections(filled)] == [("Film", 3)]
    assert file_detail(filled, 3).collections == ("Film",)
    assert passing(filled, "collection:film") == [1, 2, 3]
    with filled.write() as session:
        remove_from_collection(session, film, [1])
        rename_collection(session, film, "film")
    assert collection_files(filled, film).tolist() == [3, 2]
    assert list_collections(filled)[0].name == "film"
    with filled.write() as session:
        delete_collection(session, film)
    assert list_collections(filled) == []
    assert len(desk_rows(filled, [1, 2, 3])) == 3


def test_that_two_collections_cannot_have_one_name(filled):
    with filled.write() as session:
        create_collection(session, "Film")
        other = create_collection(session, "Game")
    for change in (lambda s: create_collection(s, "FILM"), lambda s: rename_collection(s, other, "film")):
        with pytest.raises(LibraryError, match="already"), filled.write() as session:
            change(session)
    with pytest.raises(LibraryError, match="no longer"), filled.write() as session:
        add_to_collection(session, 99, [1])


def test_that_saved_searches_are_replaced_by_name_and_history_forgets_the_oldest(filled):
    with filled.write() as session:
        first = save_search(session, "Doors", '{"text": "door"}')
        assert save_search(session, "Doors", '{"text": "gate"}') == first
        save_search(session, "alarms", "{}")
    assert [(one.name, one.query_json) for one in list_saved_searches(filled)] == [
        ("alarms", "{}"),
        ("Doors", '{"text": "gate"}'),
    ]
    with filled.write() as session:
        delete_saved_search(session, first)
        for number in range(MOST_REMEMBERED + 5):
            remember_search(session, str(number))
        remember_search(session, "10")
    assert len(list_saved_searches(filled)) == 1
    latest = latest_searches(filled, 3)
    assert latest == ["10", str(MOST_REMEMBERED + 4), str(MOST_REMEMBERED + 3)]
    assert len(latest_searches(filled, 10_000)) == MOST_REMEMBERED
    with filled.write() as session:
        forget_searches(session)
    assert latest_searches(filled, 3) == []


def test_that_a_sure_caption_is_searched_as_a_sentence_and_an_unsure_one_as_its_tags(filled):
    with filled.write() as session:
        assert store_captions(session, [said(1), said(2, is_sure=False), said(999)], model_id=MODEL) == 2
    sure, unsure = desk_rows(filled, [1])[1].caption, desk_rows(filled, [2])[2].caption
    assert (sure.shown, unsure.shown) == ("a gate creaks", "gate, squeak")
    assert unsure.text == "a gate creaks"
    assert unsure.alternatives == ("a door opens",)
    assert words(filled, "captions:creaks") == [1]
    assert words(filled, "captions:squeak") == [1, 2]
    assert passing(filled, "captioned:yes") == [1, 2]
    assert passing(filled, "captioned:no") == [3]


def test_that_a_person_s_caption_survives_the_model_and_can_be_taken_back(filled):
    with filled.write() as session:
        store_captions(session, [said(1, is_sure=False)], model_id=MODEL)
        edit_caption(session, 1, " the garden  gate ")
    row = desk_rows(filled, [1])[1].caption
    assert (row.text, row.shown, row.origin, row.original) == (
        "the garden gate", "the garden gate", "user", "a gate creaks",
    )  # fmt: skip
    assert words(filled, "captions:garden") == [1]
    with filled.write() as session:
        edit_caption(session, 1, "the iron gate")
        store_captions(session, [said(1, "a hinge squeaks")], model_id="words-2.0.0")
    row = desk_rows(filled, [1])[1].caption
    assert (row.text, row.origin, row.original) == ("the iron gate", "user", "a hinge squeaks")
    with filled.write() as session:
        restore_caption(session, 1)
    row = desk_rows(filled, [1])[1].caption
    assert (row.text, row.origin, row.original) == ("a hinge squeaks", "model", None)
    assert words(filled, "captions:iron") == []
    assert words(filled, "captions:hinge") == [1]


def test_that_a_caption_by_a_person_alone_goes_when_it_is_taken_back(filled):
    with filled.write() as session:
        edit_caption(session, 2, "my own words")
    assert captions_of(filled, [2])[2][0].origin == "user"
    with filled.write() as session:
        restore_caption(session, 2)
    assert captions_of(filled, [2]) == {}
    assert words(filled, "captions:own") == []


@pytest.mark.parametrize(("file_id", "text"), [(1, "  "), (1, "x" * 2_001), (99, "a gate")])
def test_that_a_caption_that_cannot_be_kept_is_refused(filled, file_id, text):
    with pytest.raises(LibraryError), filled.write() as session:
        edit_caption(session, file_id, text)


def test_that_what_waits_for_a_caption_is_what_neither_this_model_nor_a_person_described(filled):
    with filled.write() as session:
        session.connection().exec_driver_sql("UPDATE files SET state = 'ready'")
        store_captions(session, [said(1)], model_id=MODEL)
        edit_caption(session, 2, "mine")
    assert pending_caption_ids(filled, model_id=MODEL).tolist() == [3]
    assert pending_caption_ids(filled, model_id="words-2.0.0").tolist() == [1, 3]
    assert pending_caption_ids(filled, model_id=None).tolist() == [3]
    assert pending_caption_ids(filled, model_id=MODEL, among=[1, 2]).tolist() == []
    with filled.write() as session:
        session.connection().exec_driver_sql("UPDATE roots SET state = 'offline'")
    assert pending_caption_ids(filled, model_id=MODEL).tolist() == []


def test_that_a_caption_of_other_bytes_is_not_kept(filled):
    with filled.write() as session:
        session.connection().exec_driver_sql("UPDATE files SET content_hash = x'01'")
        stale = ModelCaption(1, "old", 0.5, (), (), True, content_hash=b"\x02")
        assert store_captions(session, [stale], model_id=MODEL) == 0
    assert captions_of(filled, [1]) == {}
