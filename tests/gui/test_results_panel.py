"""The results panel: honest words where there is nothing to list, the menu, and what goes on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_rows import SPEC, MadeUpLibrary, answer, hit, no_match
from pytestqt.qtbot import QtBot

from app.drag import classify_drop, mime_for_rows
from app.jobs import JobRunner
from app.panels.results import ResultsPanel
from app.search import SearchAnswer
from core.errors import QueryError
from core.search.query import QuerySpec, TextPart
from core.search.result import SearchResult


@pytest.fixture
def panel(results_panel: ResultsPanel) -> ResultsPanel:
    return results_panel


@pytest.fixture
def library(made_up_library: MadeUpLibrary) -> MadeUpLibrary:
    return made_up_library


def labels(buttons: list[Any]) -> list[str]:
    return [button.text() for button in buttons]


def settled(panel: ResultsPanel, runner: JobRunner, qtbot: QtBot) -> None:
    qtbot.wait(1)
    qtbot.waitUntil(lambda: not runner.is_busy and panel.board.model._store.is_idle)


# Honest states.


def test_that_matches_are_listed_and_counted(panel: ResultsPanel) -> None:
    panel.show_answer(answer(3, 1, 2))
    assert panel.is_listing
    assert panel.head.title == "3 sounds match"
    assert panel.all_ids().tolist() == [3, 1, 2]
    assert panel.banner.isHidden()


def test_that_no_match_is_said_with_the_closest_and_what_to_try(panel: ResultsPanel, qtbot: QtBot) -> None:
    spec = QuerySpec("gate", negatives=(TextPart("wind"),), where=("format=wav",))
    panel.show_answer(no_match(spec, within=np.array([4, 5, 6])))
    assert panel.banner.title == "Nothing here matches well."
    assert panel.head.title == "Closest, but weak"
    assert panel.all_ids().tolist() == [4, 5, 6]
    assert all(panel.board.model.shown_at(row).is_weak for row in range(3))
    offers = {button.text(): button for button in panel.banner.offers()}
    assert list(offers) == ["Drop “not: wind”", "Clear the filters", "Search everywhere", "Show weak matches anyway"]
    with qtbot.waitSignals([panel.negatives_dropped, panel.filters_dropped]):
        offers["Drop “not: wind”"].click()
        offers["Clear the filters"].click()
    with qtbot.waitSignal(panel.show_all_requested) as caught:
        offers["Show weak matches anyway"].click()
    assert caught.args == [True]
    with qtbot.waitSignal(panel.within_requested) as caught:
        offers["Search everywhere"].click()
    assert caught.args == [[]]


def test_that_the_tail_is_named_as_such_and_can_be_hidden_again(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_answer(answer(*range(1, 41), show_all=True))
    assert panel.head.title == "40 sounds, weak matches too"
    with qtbot.waitSignal(panel.show_all_requested) as caught:
        panel.banner.offers()[0].click()
    assert caught.args == [False]


def test_that_filters_that_nothing_passes_are_said(panel: ResultsPanel) -> None:
    spec = QuerySpec("gate", where=("rate>=192k",))
    panel.show_answer(SearchAnswer(spec, SearchResult(())))
    assert not panel.is_listing
    assert panel.page.title == "No sound meets all of this"
    assert labels(panel.page.offers()) == ["Clear the filters"]
    assert panel.visible_ids() == []


def test_that_typed_conditions_that_nothing_passes_are_not_called_an_empty_library(panel: ResultsPanel) -> None:
    panel.show_answer(SearchAnswer(QuerySpec("rate:>=192k"), SearchResult(()), listed=np.array([], dtype=np.int64)))
    assert panel.page.title == "No sound meets all of this"
    panel.show_answer(SearchAnswer(QuerySpec("gate"), SearchResult(())))
    assert panel.page.title == "Nothing to search yet"


def test_that_names_are_shown_as_names_while_the_model_is_loading(panel: ResultsPanel) -> None:
    listed = SearchAnswer(SPEC, SearchResult(()), listed=np.array([7, 8]), is_names_only=True)
    panel.show_answer(listed)
    assert "Names and captions only" in panel.banner.title
    assert panel.head.title == "2 sounds"
    assert panel.board.model.shown_at(0).relevance is None, "nobody has listened to it yet"
    panel.show_answer(answer(8, 7))
    assert panel.banner.isHidden()


def test_that_a_failure_is_said_and_the_rows_stay(panel: ResultsPanel) -> None:
    panel.show_answer(answer(1, 2))
    panel.show_failure(QueryError("AND stands at the end.", "Write it as: creak AND squeak."))
    assert (panel.banner.title, panel.banner.text) == ("AND stands at the end.", "Write it as: creak AND squeak.")
    assert panel.all_ids().tolist() == [1, 2]
    panel.show_answer(answer(1, 2))
    assert panel.banner.isHidden()


def test_that_searching_is_said_only_when_it_takes_a_while(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_answer(answer(1))
    panel.show_busy(True)
    assert panel.head.note == ""
    qtbot.waitUntil(lambda: panel.head.note == "Searching…")
    panel.show_busy(False)
    assert panel.head.note == ""


def test_that_an_empty_library_offers_a_beginning(panel: ResultsPanel, runner: JobRunner, qtbot: QtBot) -> None:
    panel.show_recent()
    settled(panel, runner, qtbot)
    assert panel.page.title == "Your library is empty"
    add, samples = panel.page.offers()
    with qtbot.waitSignals([panel.add_folder_requested, panel.samples_requested]):
        add.click()
        samples.click()


def test_that_recent_files_stand_where_nothing_is_asked(
    panel: ResultsPanel, library: MadeUpLibrary, runner: JobRunner, qtbot: QtBot
) -> None:
    library.newest = [9, 8, 7]
    panel.show_recent()
    settled(panel, runner, qtbot)
    assert panel.head.title == "Recently added · 3 sounds"
    assert panel.all_ids().tolist() == [9, 8, 7]


def test_that_recent_files_do_not_come_in_between(
    panel: ResultsPanel, library: MadeUpLibrary, runner: JobRunner, qtbot: QtBot
) -> None:
    library.newest = [9, 8, 7]
    panel.show_recent()
    panel.show_answer(answer(1))
    settled(panel, runner, qtbot)
    assert panel.all_ids().tolist() == [1]


def test_that_an_empty_collection_is_said(panel: ResultsPanel) -> None:
    panel.show_files([], "Castle", empty="Drag sounds onto “Castle” to collect them.")
    assert (panel.page.title, panel.page.text) == ("Castle", "Drag sounds onto “Castle” to collect them.")


# The menu, drags and search inside.


def test_that_the_menu_tells_what_was_chosen(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_answer(answer(*range(1, 10)))
    assert panel.menu() is None
    panel.board.list.select_rows([1, 2], current=2)
    menu = panel.menu()
    assert menu is not None
    actions = {action.text().split("\t")[0]: action for action in menu.actions()}
    told: list[tuple[str, Any]] = []
    panel.play_requested.connect(lambda row: told.append(("play", row.file_id)))
    panel.more_like_this.connect(lambda path, span: told.append(("similar", (path.name, span))))
    panel.wishes.favourite_requested.connect(lambda ids, on: told.append(("favourite", (ids, on))))
    panel.wishes.copy_path_requested.connect(lambda rows: told.append(("copy", [row.path.name for row in rows])))
    panel.wishes.export_requested.connect(lambda rows: told.append(("export", len(rows))))
    panel.wishes.reveal_requested.connect(lambda row: told.append(("reveal", row.file_id)))
    for label in ("Play", "More like this", "Favourite", "Copy the files", "Show in the file manager", "Export…"):
        actions[label].trigger()
    assert told == [
        ("play", 3),
        ("similar", ("sound 0003.wav", hit(3).span)),
        ("favourite", ([2, 3], True)),
        ("copy", ["sound 0002.wav", "sound 0003.wav"]),
        ("reveal", 3),
        ("export", 2),
    ]
    menu.close()


def test_that_names_in_the_menu_stay_names(panel: ResultsPanel, library: MadeUpLibrary, qtbot: QtBot) -> None:
    from core.library import CollectionRow, TagCount

    library.collections = lambda: [CollectionRow(5, "Sfx & <b>Foley</b>", 1)]
    library.tags = lambda: [TagCount("rock & roll", 2)]
    panel.show_answer(answer(1, 2))
    panel.board.list.go_to(0)
    menu = panel.menu()
    assert menu is not None
    told: list[tuple[list[int], object]] = []
    panel.wishes.collection_requested.connect(lambda ids, number: told.append((ids, number)))
    panel.wishes.tag_requested.connect(lambda ids, name: told.append((ids, name)))
    for action in menu.actions():
        sub = action.menu()
        if sub is not None and sub.actions()[0].text() in ("Sfx && <b>Foley</b>", "rock && roll"):
            sub.actions()[0].trigger()
    assert told == [([1], "rock & roll"), ([1], 5)]
    menu.close()


def test_that_what_is_dragged_out_are_the_files(panel: ResultsPanel) -> None:
    panel.show_answer(answer(1, 2, 3))
    panel.board.list.select_rows([0, 2], current=0)
    drop = classify_drop(mime_for_rows(panel.selected()))
    assert drop.paths == (Path("/sounds/sound 0001.wav"), Path("/sounds/sound 0003.wav"))


def test_that_search_goes_inside_what_is_selected_or_else_listed(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_answer(answer(1, 2, 3))
    with qtbot.waitSignal(panel.within_requested) as caught:
        panel.request_within()
    assert caught.args == [[1, 2, 3]]
    panel.board.list.select_rows([0, 1], current=0)
    with qtbot.waitSignal(panel.within_requested) as caught:
        panel.request_within()
    assert caught.args == [[1, 2]]
    panel.show_answer(answer(1, within=np.array([1, 2])))
    assert panel.head.within_button.text() == "Inside 2 sounds"
    with qtbot.waitSignal(panel.within_requested) as caught:
        panel.head.within_button.click()
    assert caught.args == [[]]
