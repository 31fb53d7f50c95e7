"""The results model and the store behind it: cheap for any number of rows, and never older than the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from made_up_rows import MadeUpSource, desk_row, hit
from PySide6.QtCore import QItemSelectionModel, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from app.jobs import JobRunner
from app.models.results import ResultsModel
from app.models.roles import Column, Role
from app.models.row import clock_text, format_text, relevance_steps, shown_row
from app.models.row_store import RowStore
from core.errors import LibraryError
from core.library import CaptionRow
from core.types import Span

Idle = Callable[[], None]


@pytest.fixture
def source() -> MadeUpSource:
    return MadeUpSource()


@pytest.fixture
def store(source: MadeUpSource, runner: JobRunner) -> RowStore:
    return RowStore(source, runner)


@pytest.fixture
def until_idle(qtbot: QtBot, store: RowStore) -> Idle:
    """Wait until everything that was asked for is here."""
    return lambda: qtbot.waitUntil(lambda: store.is_idle)


@pytest.fixture
def model(store: RowStore) -> Iterator[ResultsModel]:
    made = ResultsModel(store)
    tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield made
    tester.deleteLater()


def text(model: ResultsModel, row: int, column: Column) -> object:
    return model.index(row, column).data()


def test_that_rows_are_fetched_in_the_background_and_told_of(
    model: ResultsModel, until_idle: Idle, qtbot: QtBot
) -> None:
    model.show([3, 1, 2])
    assert [text(model, row, Column.NAME) for row in range(3)] == ["", "", ""]
    with qtbot.waitSignal(model.dataChanged):
        pass
    until_idle()
    assert [text(model, row, Column.NAME) for row in range(3)] == [
        "sound 0003.wav",
        "sound 0001.wav",
        "sound 0002.wav",
    ]
    assert text(model, 0, Column.CAPTION) == "Sound number 3"
    assert text(model, 0, Column.FORMAT) == "WAV 96k/24 st"
    assert text(model, 0, Column.DURATION) == "2:14"
    assert text(model, 0, Column.LOUDNESS) == "−20.0 LUFS"
    assert text(model, 0, Column.FOLDER) == "/sounds"
    assert text(model, 0, Column.RATING) == "★★★"


def test_that_what_a_hit_says_is_shown_before_the_catalogue_answers(model: ResultsModel) -> None:
    model.show([7], hits={7: hit(7, 0.75)})
    shown = model.index(0, 0).data(Role.SHOWN)
    assert (shown.name, shown.duration_text, shown.steps, shown.is_known) == ("sound 0007.wav", "2:14", 4, False)
    assert shown.span == Span(3.0, 5.0)
    assert text(model, 0, Column.RELEVANCE) == "75%"


def test_that_only_rows_that_are_looked_at_are_fetched(store: RowStore, source: MadeUpSource, until_idle: Idle) -> None:
    # Without the tester, which would look at all of them.
    model = ResultsModel(store)
    model.show(np.arange(1, 200_001))
    assert model.rowCount() == 200_000
    source.asked.clear()
    for row in range(500, 520):
        text(model, row, Column.NAME)
    until_idle()
    asked = {file_id for ids in source.asked for file_id in ids}
    assert set(range(501, 521)) <= asked
    assert len(asked) < 100


def test_that_rows_around_those_in_sight_are_fetched_ahead(
    model: ResultsModel, source: MadeUpSource, until_idle: Idle
) -> None:
    model.show(np.arange(1, 301))
    source.asked.clear()
    model.prefetch(100, 120)
    until_idle()
    asked = [file_id for ids in source.asked for file_id in ids]
    assert {61, 161} <= set(asked)
    assert asked.index(101) > asked.index(161), "those in sight come last, because the latest wishes are met first"


def test_that_few_rows_are_kept(source: MadeUpSource, runner: JobRunner, qtbot: QtBot) -> None:
    store = RowStore(source, runner, capacity=50)
    for start in range(1, 400, 40):
        store.want(range(start, start + 40))
        qtbot.waitUntil(lambda: store.is_idle)
    assert sum(store.peek(file_id) is not None for file_id in range(1, 1_001)) == 50


def test_that_a_long_wish_list_keeps_only_its_newest_part(
    store: RowStore, source: MadeUpSource, until_idle: Idle
) -> None:
    store.want(range(1, 901))
    until_idle()
    assert len(source.asked[0]) == 256
    assert 900 in source.asked[0]
    assert 1 not in source.asked[0]


def test_that_a_changed_row_is_shown_anew_and_the_old_one_until_then(
    model: ResultsModel, source: MadeUpSource, until_idle: Idle
) -> None:
    model.show([1, 2])
    model.shown_at(0)
    until_idle()
    source.known[1] = desk_row(1, caption=CaptionRow("Mended", None, "user"))
    model.renew([1])
    assert model.shown_at(0).caption == "Sound number 1"
    until_idle()
    assert model.shown_at(0).caption == "Mended"
    assert model.shown_at(0).is_written


def test_that_a_change_during_a_fetch_is_not_lost(
    store: RowStore, source: MadeUpSource, until_idle: Idle, qtbot: QtBot
) -> None:
    store.want([1])
    qtbot.waitUntil(lambda: bool(source.asked))
    source.known[1] = desk_row(1, rating=5)
    store.renew([1])
    until_idle()
    stored = store.peek(1)
    assert stored is not None
    assert stored.row.rating == 5


def test_that_everything_in_sight_is_renewed_when_the_library_grew(
    model: ResultsModel, source: MadeUpSource, until_idle: Idle
) -> None:
    model.show(np.arange(1, 301))
    model.prefetch(0, 10)
    until_idle()
    source.known[5] = desk_row(5, duration_s=0.25)
    model.renew_all()
    until_idle()
    assert model.shown_at(4).duration_text == "0:00.2"


def test_that_a_file_that_is_gone_is_not_asked_for_again_and_again(
    model: ResultsModel, source: MadeUpSource, until_idle: Idle
) -> None:
    model.show([5_000])
    for _ in range(5):
        model.shown_at(0)
        until_idle()
    assert source.asked == [[5_000]]
    assert model.results([0]) == []


def test_that_a_failing_catalogue_is_told_once(
    model: ResultsModel, store: RowStore, source: MadeUpSource, until_idle: Idle
) -> None:
    told: list[BaseException] = []
    store.failed.connect(told.append)
    source.error = LibraryError("The library is gone.")
    model.show([1])
    for _ in range(3):
        model.shown_at(0)
        until_idle()
    assert [str(error) for error in told] == ["The library is gone."]


def test_that_selection_follows_its_files_into_another_order(model: ResultsModel, qtbot: QtBot) -> None:
    model.show([10, 20, 30, 40])
    selection = QItemSelectionModel(model)
    flag = QItemSelectionModel.SelectionFlag
    selection.select(model.index(1, 0), flag.Select | flag.Rows)
    kept = QPersistentModelIndex(model.index(3, 0))
    model.put_in_order(np.array([40, 30, 20, 10]))
    assert [index.data(Role.FILE_ID) for index in selection.selectedRows()] == [20]
    assert kept.row() == 0


def test_that_an_order_of_other_files_is_refused(model: ResultsModel) -> None:
    model.show([1, 2, 3])
    for ids in ([1, 2], [1, 2, 4]):
        with pytest.raises(ValueError, match="other files"):
            model.put_in_order(np.array(ids))


def test_that_the_same_files_again_are_no_new_list(model: ResultsModel, qtbot: QtBot) -> None:
    model.show([1, 2, 3], hits={1: hit(1, 0.6)})
    with qtbot.assertNotEmitted(model.modelReset):
        model.show([1, 2, 3], hits={1: hit(1, 0.99)})
    assert model.shown_at(0).steps == 5


def test_that_the_playing_row_is_told_alone(model: ResultsModel, qtbot: QtBot) -> None:
    model.show([1, 2, 3])
    with qtbot.waitSignal(model.dataChanged) as caught:
        model.set_playing(2, 1.5)
    first, last, *_ = caught.args
    assert (first.row(), last.row()) == (1, 1)
    assert model.playing == (2, 1.5)


def test_that_groups_begin_where_the_category_changes(model: ResultsModel, until_idle: Idle) -> None:
    model.show([1, 3, 2, 4])
    model.prefetch(0, 3)
    until_idle()
    heads = [model.index(row, 0).data(Role.GROUP_HEAD) for row in range(4)]
    assert [bool(head) for head in heads] == [True, False, True, False]
    assert "Thunder" in heads[0]


def test_that_markup_in_names_stays_text_in_tooltips(
    model: ResultsModel, source: MadeUpSource, until_idle: Idle
) -> None:
    source.known[1] = desk_row(1, name="<b>loud</b> & <img src=x>.wav")
    model.show([1])
    model.shown_at(0)
    until_idle()
    tip = model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "<b>" not in tip
    assert "&lt;b&gt;loud&lt;/b&gt; &amp; &lt;img src=x&gt;.wav" in tip
    assert text(model, 0, Column.NAME) == "<b>loud</b> & <img src=x>.wav"


def test_that_a_row_can_be_heard_by_a_screen_reader(model: ResultsModel, until_idle: Idle) -> None:
    model.show([1], hits={1: hit(1, 0.3)}, weak=True)
    model.shown_at(0)
    until_idle()
    spoken = model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "sound 0001.wav, Sound number 1, 2:14, match 1 of 5, closest, but weak"


def test_that_other_panels_get_rows_also_before_they_were_shown(model: ResultsModel) -> None:
    model.show(np.arange(1, 101))
    rows = model.results([98, 99])
    assert [(row.file_id, row.path.name, row.duration_s) for row in rows] == [
        (99, "sound 0099.wav", 134.0),
        (100, "sound 0100.wav", 134.0),
    ]


def test_that_tags_are_shown_where_the_captioner_is_unsure() -> None:
    unsure = CaptionRow("A dog sings", 0.1, "model", ("dog", "bark"), is_sure=False)
    assert shown_row(1, None, desk_row(1, caption=unsure)).caption == "dog, bark"
    assert (
        shown_row(1, None, desk_row(1, caption=CaptionRow("A dog sings", 0.9, "model", ("dog",)))).caption
        == "A dog sings"
    )


def test_that_signs_that_break_lines_cannot_break_a_row() -> None:
    shown = shown_row(1, None, desk_row(1, name="two\nlines\x1b.wav", caption=CaptionRow("a\n\tb", 1.0, "user")))
    assert shown.name == "two\N{REPLACEMENT CHARACTER}lines\N{REPLACEMENT CHARACTER}.wav"
    assert shown.caption == "a b"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0:00.0"),
        (0.25, "0:00.2"),
        (9.94, "0:09.9"),
        (9.97, "0:10"),
        (134, "2:14"),
        (3_661, "1:01:01"),
        (59.6, "1:00"),
    ],
)
def test_that_times_read_as_minutes_and_seconds(seconds: float, expected: str) -> None:
    assert clock_text(seconds) == expected


@pytest.mark.parametrize(
    ("rate", "bits", "channels", "expected"),
    [
        (96_000, 24, 2, "96k/24 st"),
        (44_100, None, 1, "44.1k m"),
        (48_000, 16, 3, "48k/16 3 ch"),
        (None, None, None, ""),
    ],
)
def test_that_formats_read_as_professionals_write_them(
    rate: int | None, bits: int | None, channels: int | None, expected: str
) -> None:
    assert format_text(rate, bits, channels) == expected


def test_that_three_steps_and_more_are_matches() -> None:
    assert [relevance_steps(value) for value in (0.0, 0.2, 0.49, 0.5, 0.7, 0.9, 1.0)] == [0, 1, 2, 3, 4, 5, 5]
