"""The rows of the results: one selection in two views, nothing that jumps, and what is painted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up_rows import MadeUpLibrary, answer, desk_row, hit
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.jobs import JobRunner
from app.models.roles import Column
from app.panels.results import ResultsPanel
from app.settings import Settings
from app.theme import LIGHT, apply_theme, tokens
from core.library import Library
from core.search.query import QuerySpec

Key = Qt.Key


@pytest.fixture
def panel(results_panel: ResultsPanel) -> ResultsPanel:
    return results_panel


@pytest.fixture
def library(made_up_library: MadeUpLibrary) -> MadeUpLibrary:
    return made_up_library


def settled(panel: ResultsPanel, runner: JobRunner, qtbot: QtBot) -> None:
    qtbot.wait(1)
    qtbot.waitUntil(lambda: not runner.is_busy and panel.board.model._store.is_idle)


# Nothing jumps.


def test_that_a_refresh_keeps_selection_current_row_and_place(panel: ResultsPanel, qtbot: QtBot) -> None:
    ids = list(range(1, 201))
    panel.show_answer(answer(*ids))
    table = panel.board.list
    table.select_rows([50, 51, 60], current=51)
    table.verticalScrollBar().setValue(50 * table.row_px - 7)
    top = table.rowViewportPosition(51)
    told: list[object] = []
    panel.current_changed.connect(told.append)
    newcomers = list(range(501, 541))
    panel.show_answer(answer(*newcomers, *reversed(ids), is_refresh=True))
    current = panel.current()
    assert current is not None
    assert current.file_id == 52
    assert sorted(panel.selected_ids()) == [51, 52, 61]
    assert table.rowViewportPosition(table.currentIndex().row()) == top
    assert [row.file_id for row in told if row is not None] in ([], [52]), "no other row was current in between"
    assert None not in told


def test_that_without_a_current_row_the_topmost_stays_on_top(panel: ResultsPanel) -> None:
    ids = list(range(1, 201))
    panel.show_answer(answer(*ids))
    panel.board.list.executeDelayedItemsLayout()
    bar = panel.board.list.verticalScrollBar()
    bar.setValue(80 * 52 + 13)
    panel.show_answer(answer(*range(601, 611), *ids, is_refresh=True))
    assert bar.value() == 90 * 52 + 13


def test_that_at_the_top_better_matches_come_into_sight(panel: ResultsPanel) -> None:
    panel.show_answer(answer(*range(1, 100)))
    panel.show_answer(answer(*range(601, 611), *range(1, 100), is_refresh=True))
    assert panel.board.list.verticalScrollBar().value() == 0
    assert panel.visible_ids()[0] == 601


def test_that_a_selected_file_that_is_gone_is_not_selected(panel: ResultsPanel) -> None:
    panel.show_answer(answer(1, 2, 3))
    panel.board.list.select_rows([1], current=1)
    panel.show_answer(answer(1, 3, is_refresh=True))
    assert panel.selected_ids() == []
    assert panel.current() is None


def test_that_another_question_begins_at_the_top_with_nothing_selected(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_answer(answer(*range(1, 200)))
    panel.board.list.go_to(150)
    with qtbot.waitSignal(panel.current_changed) as caught:
        panel.show_answer(answer(*range(1, 200), spec=QuerySpec("hinge")))
    assert caught.args == [None]
    assert panel.board.list.verticalScrollBar().value() == 0
    assert panel.selected_ids() == []


def test_that_a_growing_folder_keeps_its_place_too(panel: ResultsPanel) -> None:
    panel.show_files(range(1, 200), "SFX")
    panel.board.list.go_to(120)
    before = panel.board.list.rowViewportPosition(120)
    panel.show_files([900, *range(1, 200)], "SFX")
    assert panel.board.list.currentIndex().row() == 121
    assert panel.board.list.rowViewportPosition(121) == before


# Rows.


def test_that_200000_rows_are_selected_and_told_at_once(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_files(np.arange(1, 200_001), "All sounds")
    assert panel.head.title == "All sounds · 200,000 sounds"
    panel.focus()
    QTest.keyClick(panel.board.list, Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(panel.selected_ids()) == 200_000
    assert panel.visible_ids()[:3] == [1, 2, 3]
    assert len(panel.visible_ids()) < 12


def test_that_keys_go_through_the_rows(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_answer(answer(*range(1, 60)))
    panel.focus()
    table = panel.board.list
    assert table.currentIndex().row() == 0
    for key, row in (
        (Key.Key_Down, 1),
        (Key.Key_Down, 2),
        (Key.Key_Up, 1),
        (Key.Key_End, 58),
        (Key.Key_Home, 0),
    ):
        QTest.keyClick(table, key)
        assert table.currentIndex().row() == row
    QTest.keyClick(table, Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert panel.selected_ids() == [1, 2]
    with qtbot.waitSignal(panel.activated) as caught:
        QTest.keyClick(table, Key.Key_Return)
    assert caught.args[0].file_id == 2
    assert caught.args[0].span == hit(2).span


def test_that_left_right_and_letters_are_left_to_the_window(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_answer(answer(1, 2, 3))
    panel.focus()
    got: list[int] = []
    panel.keyPressEvent = lambda event: got.append(event.key())
    for key in (Key.Key_Right, Key.Key_S, Key.Key_Left):
        QTest.keyClick(panel.board.list, key)
    assert panel.board.list.currentIndex().row() == 0
    assert panel.board.list.currentIndex().column() == Column.NAME


def test_that_a_double_click_opens_and_the_mark_plays(panel: ResultsPanel, qtbot: QtBot) -> None:
    panel.show_answer(answer(1, 2, 3))
    table = panel.board.list
    name = table.visualRect(table.model().index(1, Column.NAME)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=name)
    with qtbot.waitSignal(panel.activated) as caught:
        QTest.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=name)
    assert caught.args[0].file_id == 2
    with qtbot.waitSignal(panel.play_requested) as caught:
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(14, 2 * 52 + 15))
    assert caught.args[0].file_id == 3


def test_that_a_star_in_the_rating_column_rates(panel: ResultsPanel, qtbot: QtBot) -> None:
    table = panel.board.list
    table.show_columns(table.shown_columns() | {Column.RATING})
    panel.show_answer(answer(1, 2))
    box = table.visualRect(table.model().index(1, Column.RATING))
    with qtbot.waitSignal(panel.wishes.rating_requested) as caught:
        QTest.mouseClick(
            table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(box.left() + 8 + 3 * 14 + 4, box.center().y())
        )
    assert caught.args == [[2], 4]


def test_that_sorting_goes_by_the_library_and_back_to_what_fits_best(
    panel: ResultsPanel, runner: JobRunner, qtbot: QtBot
) -> None:
    panel.show_answer(answer(3, 5, 1, 4))
    panel.board.list.select_rows([1], current=1)
    panel.sort_by(Column.RATING, Qt.SortOrder.DescendingOrder)
    settled(panel, runner, qtbot)
    assert panel.all_ids().tolist() == [5, 4, 3, 1]
    assert panel.selected_ids() == [5]
    panel.show_answer(answer(2, 4, 5, spec=QuerySpec("hinge")))
    settled(panel, runner, qtbot)
    assert panel.all_ids().tolist() == [5, 4, 2], "the order stays for the next question"
    panel.sort_by(None)
    assert panel.all_ids().tolist() == [2, 4, 5]
    panel.sort_by(Column.RELEVANCE, Qt.SortOrder.AscendingOrder)
    assert panel.all_ids().tolist() == [5, 4, 2]


def test_that_a_header_goes_through_both_orders_and_back(panel: ResultsPanel) -> None:
    wanted: list[tuple[object, object]] = []
    panel.board.list.order_wanted.connect(lambda column, order: wanted.append((column, order)))
    panel.show_answer(answer(1, 2))
    for _ in range(3):
        panel.board.list._on_header_clicked(Column.RATING)
    panel.board.list._on_header_clicked(Column.WAVEFORM)
    ascending, descending = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
    assert [column for column, _ in wanted] == [Column.RATING, Column.RATING, None]
    assert [order for _, order in wanted[:2]] == [descending, ascending]


def test_that_columns_are_remembered(
    panel: ResultsPanel, library: MadeUpLibrary, shown_panel: Callable[..., ResultsPanel], settings: Settings
) -> None:
    wanted = {Column.NAME, Column.CAPTION, Column.LOUDNESS}
    panel.board.list.show_columns(wanted)
    panel.set_view("captions")
    again = shown_panel(ResultsPanel, library, 900, 500)
    assert again.board.list.shown_columns() == wanted
    assert again.head.view == "captions"
    settings.layout.headers = {"results": "no such state"}
    third = shown_panel(ResultsPanel, library, 900, 500)
    assert Column.WAVEFORM in third.board.list.shown_columns()


def test_that_the_name_takes_what_other_columns_leave(panel: ResultsPanel) -> None:
    table = panel.board.list
    panel.show_answer(answer(1))
    for width in (640, 900, 1_600, 3_000):
        panel.resize(width, 400)
        used = sum(table.columnWidth(column) for column in table.shown_columns())
        assert used == max(table.viewport().width(), used)
        assert table.columnWidth(Column.NAME) >= 220


# What is painted.


def colours_in(image: QImage) -> set[str]:
    return {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}


def test_that_the_matched_moment_is_lit_and_nothing_else_is_amber(
    panel: ResultsPanel, runner: JobRunner, qtbot: QtBot
) -> None:
    panel.show_answer(answer(1))
    settled(panel, runner, qtbot)
    table = panel.board.list
    box = table.visualRect(table.model().index(0, Column.WAVEFORM))
    assert tokens().amber in colours_in(table.viewport().grab(box).toImage())
    panel.show_files([1], "All")
    assert tokens().amber not in colours_in(table.viewport().grab(box).toImage())


def test_that_rows_are_painted_in_the_colours_of_the_theme(
    panel: ResultsPanel, runner: JobRunner, qtbot: QtBot, qapp: Any
) -> None:
    panel.show_answer(answer(1, 2))
    settled(panel, runner, qtbot)
    assert LIGHT.surface0 not in colours_in(panel.board.list.viewport().grab().toImage())
    apply_theme(qapp, "light")
    try:
        assert LIGHT.surface0 in colours_in(panel.board.list.viewport().grab().toImage())
    finally:
        apply_theme(qapp, "dark")


@pytest.mark.parametrize("width", [320, 900])
def test_that_awkward_rows_are_painted(
    panel: ResultsPanel, library: MadeUpLibrary, runner: JobRunner, qtbot: QtBot, width: int
) -> None:
    library.known[1] = desk_row(1, name="x" * 400 + ".wav", caption=None, duration_s=None, category="")
    library.known[2] = desk_row(2, name="", folder="", sample_rate_hz=None, channels=None, bit_depth=None)
    library.known[3] = desk_row(3, name="مرحبا 音 <i>.wav", skip_reason="It is empty.", is_offline=True)
    panel.resize(width, 400)
    panel.show_files([1, 2, 3, 5_000], "Awkward")
    settled(panel, runner, qtbot)
    panel.set_playing(3, 999.0)
    for view in ("list", "captions"):
        panel.set_view(view)
        settled(panel, runner, qtbot)
        assert not panel.grab().isNull()


def test_that_a_real_library_is_listed_with_its_waveforms(
    small_library: Library, shown_panel: Callable[..., ResultsPanel], runner: JobRunner, qtbot: QtBot
) -> None:
    panel = shown_panel(ResultsPanel, small_library, 900, 600)
    panel.show_recent()
    settled(panel, runner, qtbot)
    qtbot.waitUntil(lambda: panel.board.model.shown_at(0).is_known)
    panel.sort_by(Column.NAME)
    settled(panel, runner, qtbot)
    names = [panel.board.model.shown_at(row).name for row in range(panel.board.model.rowCount())]
    assert names == sorted(names, key=str.casefold)
    assert len(names) == 8
    assert panel.board.model.peaks_at(0) is not None
