"""Captions: read in groups over the list's own selection, doubted, mended and taken back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.delegates.ink import Ink
from app.jobs import JobRunner
from app.models.roles import Column, Role
from app.panels.captions import CaptionsView
from app.panels.results import ResultsPanel
from app.search import SearchAnswer
from app.settings import Settings
from app.theme import body_font
from app.widgets.caption_card import AlternativeRow, CaptionCard
from core.library import CaptionRow, Library
from core.search.query import QuerySpec
from core.search.result import SearchResult

Key = Qt.Key
SURE = CaptionRow("A dog barks", 0.82, "model", ("dog",), ("A small dog yaps", "An animal calls"))


@pytest.fixture
def panel(small_library: Library, shown_panel: Callable[..., ResultsPanel]) -> ResultsPanel:
    return shown_panel(ResultsPanel, small_library, 900, 700)


@pytest.fixture
def card(qtbot: QtBot) -> CaptionCard:
    made = CaptionCard()
    qtbot.addWidget(made)
    made.resize(280, 300)
    made.show()
    return made


@pytest.fixture
def settled(runner: JobRunner, qtbot: QtBot, panel: ResultsPanel) -> Callable[[], None]:
    def wait() -> None:
        qtbot.waitUntil(lambda: not runner.is_busy and panel.board.model._store.is_idle)

    return wait


def test_that_sounds_of_one_category_stand_together_in_the_order_of_their_best(
    panel: ResultsPanel, small_library: Library, settled: Callable[[], None]
) -> None:
    ids = {row.name: row.id for row in small_library.rows(small_library.list_files()).values()}
    dog = ids["ANMLDog_Small Dog Barks Three Times_EAR_Demo.ogg"]
    knock = ids["DOORKnck_Three Knocks On Door_EAR_Demo.ogg"]
    rain, frog = ids["Rain Light Drizzle.ogg"], ids["Tree Frog Quick Croaks.aiff"]
    panel.show_files([rain, knock, frog, dog], "Some")
    panel.set_view("captions")
    settled()
    assert panel.all_ids().tolist() == [knock, dog, rain, frog]
    panel.board.model.prefetch(0, 3)
    settled()
    heads = [panel.board.model.index(row, 0).data(Role.GROUP_HEAD) for row in range(4)]
    assert heads == ["Doors · Knock", "Animals · Dog", "No category", ""]
    panel.set_view("list")
    settled()
    assert panel.all_ids().tolist() == [rain, knock, frog, dog], "the list keeps its own order"


def test_that_both_views_share_selection_and_current_row(
    panel: ResultsPanel, small_library: Library, settled: Callable[[], None]
) -> None:
    panel.show_files(small_library.list_files(), "All")
    panel.board.list.select_rows([1, 3], current=3)
    chosen = set(panel.selected_ids())
    current = panel.current()
    panel.set_view("captions")
    settled()
    assert set(panel.selected_ids()) == chosen
    assert panel.current() == current
    assert panel.board.view is panel.board.captions
    assert panel.visible_ids()
    panel.focus()
    QTest.keyClick(panel.board.captions, Key.Key_Down)
    assert panel.current() != current
    assert panel.board.list.selectionModel() is panel.board.captions.selectionModel()


def test_that_the_reading_view_remembers_to_be_shown(panel: ResultsPanel, settings: Settings, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.view_changed) as caught:
        panel.head._views["captions"].click()
    assert caught.args == ["captions"]
    assert settings.layout.view == "captions"


def test_that_a_new_caption_is_shown_without_moving_anything(
    panel: ResultsPanel, small_library: Library, settled: Callable[[], None]
) -> None:
    ids = small_library.list_files()
    panel.show_files(ids, "All")
    settled()
    first = int(panel.all_ids()[0])
    assert panel.board.model.index(0, Column.CAPTION).data() == ""
    small_library.edit_caption(first, "A telephone rings once")
    panel.reload([first])
    settled()
    assert panel.board.model.index(0, Column.CAPTION).data() == "A telephone rings once"


def test_that_captions_are_searched_as_text(small_library: Library) -> None:
    (rain,) = (int(file_id) for file_id in small_library.list_files("name=Rain Light"))
    small_library.edit_caption(rain, "Drops patter upon a tin roof")
    answer = small_library.search(QuerySpec('"tin roof"').build(), limit=5, show_all=True)
    assert [hit.file_id for hit in answer.hits] == [rain]


def test_that_long_captions_end_on_their_second_line(qapp: object) -> None:
    ink = Ink(QFont(body_font()))
    lines = ink.lines("a dog barks and barks " * 30, 300, ink.large)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(ink.metrics(ink.large).horizontalAdvance(line) <= 300 for line in lines)
    assert ink.lines("short", 300, ink.large) == ("short",)


def test_that_words_longer_than_a_line_do_not_hide_what_follows(qapp: object) -> None:
    ink = Ink(QFont(body_font()))
    assert ink.lines("x" * 400, 200, ink.large)[-1].endswith("…")
    assert ink.lines("", 200, ink.large) == ()


def test_that_the_reading_view_has_one_column(panel: ResultsPanel) -> None:
    view = panel.board.captions
    assert isinstance(view, CaptionsView)
    assert [column for column in Column if not view.isColumnHidden(column)] == [Column.NAME]


def test_that_weak_matches_and_missing_captions_are_painted(
    panel: ResultsPanel, small_library: Library, settled: Callable[[], None]
) -> None:
    found = small_library.search(QuerySpec("dog").build(), limit=8, show_all=True)
    weak = SearchAnswer(QuerySpec("dog"), SearchResult((), found.hits[:3], 8))
    panel.set_view("captions")
    panel.show_answer(weak)
    settled()
    for width in (400, 900):
        panel.resize(width, 500)
        assert not panel.grab().isNull()
    assert set(panel.all_ids()) == {hit.file_id for hit in found.hits[:3]}


# The card in the inspector.


def test_that_a_caption_is_shown_with_its_confidence_and_alternatives(card: CaptionCard) -> None:
    card.show_caption(SURE)
    assert card.sentence.text == "A dog barks"
    assert card.facts.text() == "The model is 82% sure · dog"
    assert len(card.findChildren(AlternativeRow)) == 2
    assert card.restore_button.isHidden()


def test_that_tags_stand_for_a_doubtful_sentence(card: CaptionCard) -> None:
    card.show_caption(CaptionRow("A dog sings", 0.12, "model", ("dog", "bark"), is_sure=False))
    assert card.sentence.text == "dog, bark"
    assert "doubtful" in card.facts.text()
    (other,) = card.findChildren(AlternativeRow)
    assert "A dog sings" in other.button.accessibleName()


def test_that_markup_in_captions_stays_text(card: CaptionCard) -> None:
    card.show_caption(CaptionRow("<b>loud</b><img src='x'>", 0.9, "model", alternatives=("<i>soft</i>",)))
    assert card.sentence.text == "<b>loud</b><img src='x'>"
    assert not card.grab().isNull()


def test_that_an_alternative_is_taken_with_one_press(card: CaptionCard, qtbot: QtBot) -> None:
    card.show_caption(SURE)
    with qtbot.waitSignal(card.edited) as caught:
        card.findChildren(AlternativeRow)[1].button.click()
    assert caught.args == ["An animal calls"]


def test_that_enter_keeps_and_escape_drops_what_was_written(card: CaptionCard, qtbot: QtBot) -> None:
    card.show_caption(SURE)
    card.begin_edit()
    assert card.is_editing
    assert card.edit.toPlainText() == "A dog barks"
    card.edit.setPlainText("Two dogs\n bark ")
    with qtbot.waitSignal(card.edited) as caught:
        QTest.keyClick(card.edit, Key.Key_Return)
    assert caught.args == ["Two dogs bark"]
    card.begin_edit("Something else")
    with qtbot.assertNotEmitted(card.edited):
        QTest.keyClick(card.edit, Key.Key_Escape)
    assert not card.is_editing


@pytest.mark.parametrize("text", ["A dog barks", "   ", ""])
def test_that_nothing_is_kept_where_nothing_was_changed(card: CaptionCard, qtbot: QtBot, text: str) -> None:
    card.show_caption(SURE)
    card.begin_edit(text)
    with qtbot.assertNotEmitted(card.edited):
        card.save_button.click()


def test_that_a_person_may_go_back_to_what_the_model_wrote(card: CaptionCard, qtbot: QtBot) -> None:
    card.show_caption(CaptionRow("Two dogs bark", 0.8, "user", original="A dog barks"))
    assert card.facts.text() == "Written by you"
    assert card.original.text == "The model wrote: A dog barks"
    with qtbot.waitSignal(card.restored):
        card.restore_button.click()
    with qtbot.waitSignal(card.copied) as caught:
        card.copy_button.click()
    assert caught.args == ["Two dogs bark"]
    with qtbot.waitSignal(card.regenerated):
        card.anew_button.click()


def test_that_without_a_caption_there_is_nothing_to_copy(card: CaptionCard) -> None:
    card.show_caption(None)
    assert card.sentence.text == "No caption yet"
    assert not card.copy_button.isEnabled()
    card.begin_edit()
    assert card.edit.toPlainText() == ""


def test_that_lists_of_any_length_are_grouped(panel: ResultsPanel, settled: Callable[[], None]) -> None:
    panel.set_view("captions")
    panel.show_files(np.arange(1, 6_001), "Many")
    settled()
    assert panel.board.model.rowCount() == 6_000
    assert sorted(panel.all_ids().tolist()) == list(range(1, 6_001))
