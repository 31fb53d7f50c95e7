"""The query bar and the panel around it: chips and text as one question, with a way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.panels.search import SearchPanel
from app.widgets.chip import Chip
from app.widgets.query_bar import QueryBar, split_negatives
from core.library import Library
from core.search.query import ClipPart, QuerySpec, TextPart
from core.types import Span

GATE = Path("/sounds/gate.wav")
HINGE = Path("/sounds/hinge.wav")
Key = Qt.Key
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def bar(qtbot: QtBot) -> QueryBar:
    made = QueryBar()
    qtbot.addWidget(made)
    made.resize(700, 40)
    made.show()
    made.activateWindow()
    made.line.setFocus()
    return made


@pytest.fixture
def panel(
    empty_library: Library, shown_panel: Callable[..., SearchPanel], until_idle: Callable[[], None]
) -> Iterator[SearchPanel]:
    yield shown_panel(SearchPanel, empty_library, 1000, 60)
    until_idle()


def dropped(paths: list[Path]) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def drop(bar: QueryBar, mime: QMimeData, at: QPointF) -> bool:
    event = QDropEvent(at, Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    event.ignore()
    bar.dropEvent(event)
    return event.isAccepted()


def test_that_typing_changes_the_question_with_every_letter(bar: QueryBar) -> None:
    seen: list[str] = []
    bar.changed.connect(lambda: seen.append(bar.spec().text))
    QTest.keyClicks(bar.line, "gate")
    assert seen == ["g", "ga", "gat", "gate"]


def test_that_text_clips_and_negatives_make_one_question(bar: QueryBar) -> None:
    bar.line.setText("metal gate creaks")
    bar.add_clip(GATE, Span(3.0, 5.0), 0.6)
    bar.add_negative("voices")
    assert bar.spec(("rate>=96k",)) == QuerySpec(
        "metal gate creaks",
        1.0,
        (ClipPart(GATE, Span(3.0, 5.0), 0.6),),
        (TextPart("voices"),),
        ("rate>=96k",),
    )


def test_that_a_question_that_is_set_is_told_once_and_given_back_equal(bar: QueryBar) -> None:
    spec = QuerySpec("creak", 0.5, (ClipPart(GATE), ClipPart(HINGE, None, 1.5)), (TextPart("wind", 0.4),))
    seen: list[QuerySpec] = []
    bar.changed.connect(lambda: seen.append(bar.spec()))
    bar.set_spec(spec)
    assert seen == [spec]
    bar.set_spec(QuerySpec("other"))
    assert bar.chips == ()
    assert bar.spec() == QuerySpec("other")


def test_that_backspace_at_the_start_removes_the_last_chip(bar: QueryBar) -> None:
    bar.add_clip(GATE)
    bar.add_negative("voices")
    bar.line.setText("creak")
    QTest.keyClick(bar.line, Key.Key_Backspace)
    assert bar.line.text() == "crea"
    bar.line.setCursorPosition(0)
    QTest.keyClick(bar.line, Key.Key_Backspace)
    assert [chip.part for chip in bar.chips] == [ClipPart(GATE)]
    QTest.keyClick(bar.line, Key.Key_Backspace)
    QTest.keyClick(bar.line, Key.Key_Backspace)
    assert bar.chips == ()
    assert bar.line.text() == "crea"


def test_that_chips_are_reached_and_removed_by_keys_alone(bar: QueryBar) -> None:
    bar.add_clip(GATE)
    bar.add_clip(HINGE)
    QTest.keyClick(bar.line, Key.Key_Left)
    assert bar.focusWidget() is bar.chips[1]
    QTest.keyClick(bar.chips[1], Key.Key_Left)
    assert bar.focusWidget() is bar.chips[0]
    QTest.keyClick(bar.chips[0], Key.Key_Delete)
    assert [chip.part for chip in bar.chips] == [ClipPart(HINGE)]
    bar.chips[0].setFocus()
    QTest.keyClick(bar.chips[0], Key.Key_Right)
    assert bar.focusWidget() is bar.line


def test_that_alt_and_arrows_change_the_weight_of_a_chip_and_of_the_text(bar: QueryBar) -> None:
    bar.add_clip(GATE)
    chip = bar.chips[0]
    for _ in range(4):
        QTest.keyClick(chip, Key.Key_Down, ALT)
    assert bar.spec().clips[0].weight == pytest.approx(0.6)
    for _ in range(40):
        QTest.keyClick(chip, Key.Key_Down, ALT)
    assert bar.spec().clips[0].weight == pytest.approx(0.1)
    QTest.keyClick(bar.line, Key.Key_Up, ALT)
    assert bar.spec().text_weight == pytest.approx(1.1)
    assert "0.1" in chip.accessibleName()


def test_that_the_slider_below_a_chip_changes_its_weight(bar: QueryBar, qtbot: QtBot) -> None:
    bar.add_negative("voices")
    chip = bar.chips[0]
    chip.show_weight()
    popup = chip._popup
    assert popup is not None
    assert popup.isVisible()
    with qtbot.waitSignal(bar.changed):
        popup.slider.setValue(5)
    assert bar.spec().negatives == (TextPart("voices", 0.5),)
    chip.set_weight(1.5)
    assert popup.slider.value() == 15
    chip.hide_weight()
    assert not popup.isVisible()


def test_that_the_cross_removes_a_chip(bar: QueryBar) -> None:
    bar.add_clip(GATE)
    chip: Chip = bar.chips[0]
    QTest.mouseClick(chip, Qt.MouseButton.LeftButton, pos=chip._cross().center())
    assert bar.chips == ()


def test_that_enter_turns_what_is_not_wanted_into_chips(bar: QueryBar, qtbot: QtBot) -> None:
    bar.line.setText("metal gate not: voices, light wind")
    assert bar.spec().negatives == (TextPart("voices"), TextPart("light wind"))
    assert bar.spec().text == "metal gate"
    with qtbot.waitSignal(bar.submitted):
        QTest.keyClick(bar.line, Key.Key_Return)
    assert [chip.part for chip in bar.chips] == [TextPart("voices"), TextPart("light wind")]
    assert bar.line.text() == "metal gate"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gate", ("gate", ())),
        ("not: voices", ("", ("voices",))),
        ("gate Not:voices", ("gate", ("voices",))),
        ("gate not: ", ("gate", ())),
        ("knot: a rope", ("knot: a rope", ())),
        ("is it a gate or not", ("is it a gate or not", ())),
    ],
)
def test_that_only_not_with_a_colon_says_what_is_unwanted(line: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert split_negatives(line) == expected


def test_that_a_dropped_file_becomes_a_chip_where_it_lands(bar: QueryBar) -> None:
    bar.add_clip(GATE)
    assert drop(bar, dropped([HINGE]), QPointF(2, 18))
    assert [chip.part for chip in bar.chips] == [ClipPart(HINGE), ClipPart(GATE)]
    other = Path("/sounds/rain.wav")
    assert drop(bar, dropped([other]), QPointF(600, 18))
    assert [chip.part for chip in bar.chips][-1] == ClipPart(other)


def test_that_the_same_example_is_not_added_twice(bar: QueryBar) -> None:
    bar.add_clip(GATE)
    bar.add_clip(GATE)
    bar.add_clip(GATE, Span(0.0, 1.0))
    assert len(bar.chips) == 2


def test_that_a_dropped_folder_is_left_to_the_window(bar: QueryBar, tmp_path: Path) -> None:
    mime = dropped([tmp_path])
    event = QDragEnterEvent(
        QPointF(10, 10).toPoint(),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    bar.dragEnterEvent(event)
    assert not event.isAccepted()
    assert not drop(bar, mime, QPointF(10, 10))
    assert bar.chips == ()


def test_that_dropped_and_pasted_text_becomes_one_line(bar: QueryBar) -> None:
    mime = QMimeData()
    mime.setText("metal\n gate")
    assert drop(bar, mime, QPointF(300, 18))
    assert bar.line.text() == "metal gate"
    QGuiApplication.clipboard().setText(" creaks\r\nslowly ")
    bar.line.end(False)
    bar.line.insert(" ")
    QTest.keyClick(bar.line, Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert bar.line.text() == "metal gate creaks slowly"


def test_that_a_pasted_file_becomes_an_example(bar: QueryBar) -> None:
    QGuiApplication.clipboard().setMimeData(dropped([GATE]))
    QTest.keyClick(bar.line, Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert [chip.part for chip in bar.chips] == [ClipPart(GATE)]
    assert bar.line.text() == ""


def test_that_many_chips_begin_a_new_line_and_the_bar_grows(bar: QueryBar) -> None:
    low = bar.heightForWidth(700)
    for number in range(8):
        bar.add_clip(Path(f"/sounds/a rather long name of a sound {number}.wav"))
    assert bar.heightForWidth(700) > 2 * low


def test_that_a_very_long_name_keeps_its_chip_short(bar: QueryBar) -> None:
    bar.add_clip(Path(f"/sounds/{'x' * 240}.wav"))
    assert bar.chips[0].sizeHint().width() < 320


def test_that_down_asks_for_the_results(bar: QueryBar, qtbot: QtBot) -> None:
    with qtbot.waitSignal(bar.went_down):
        QTest.keyClick(bar.line, Key.Key_Down)


def test_that_back_and_forward_go_through_what_was_asked(panel: SearchPanel) -> None:
    asked: list[str] = []
    panel.submitted.connect(lambda spec: asked.append(spec.text))
    assert not panel.back_button.isEnabled()
    for text in ("gate", "hinge", "rain"):
        panel.bar.line.setText(text)
        QTest.keyClick(panel.bar.line, Key.Key_Return)
    asked.clear()
    panel.go_back()
    panel.go_back()
    assert panel.spec().text == "gate"
    assert not panel.back_button.isEnabled()
    panel.go_forward()
    assert panel.spec().text == "hinge"
    assert asked == ["hinge", "gate", "hinge"]
    panel.bar.line.setText("thunder")
    QTest.keyClick(panel.bar.line, Key.Key_Return)
    assert not panel.forward_button.isEnabled()
    panel.go_back()
    assert panel.spec().text == "hinge"


def test_that_the_filters_belong_to_the_question_and_its_steps(panel: SearchPanel) -> None:
    panel.set_spec(QuerySpec("gate", where=("format=wav", "rate>=96k")))
    assert panel.filters.expressions() == ("format=wav", "rate>=96k")
    assert "2" in panel.filter_button.text()
    panel.set_spec(QuerySpec("rain"))
    panel.go_back()
    assert panel.spec() == QuerySpec("gate", where=("format=wav", "rate>=96k"))
    panel.drop_filters()
    assert panel.spec() == QuerySpec("gate")


def test_that_a_suggestion_drops_what_is_not_wanted(panel: SearchPanel) -> None:
    panel.set_spec(QuerySpec("gate", negatives=(TextPart("wind"),)))
    panel.drop_negatives()
    assert panel.spec() == QuerySpec("gate")


def test_that_submitted_questions_are_remembered_and_offered(
    panel: SearchPanel, empty_library: Library, until_idle: Callable[[], None]
) -> None:
    for text in ("metal gate", "metal hinge", "metal gate"):
        panel.bar.line.setText(text)
        QTest.keyClick(panel.bar.line, Key.Key_Return)
        until_idle()
    assert panel.bar.line.history() == ["metal gate", "metal hinge"]
    assert [QuerySpec.from_json(line).text for line in empty_library.history()] == ["metal gate", "metal hinge"]


def test_that_a_damaged_history_is_passed_over(
    panel: SearchPanel, empty_library: Library, until_idle: Callable[[], None]
) -> None:
    empty_library.remember_search("no json")
    empty_library.remember_search(QuerySpec("gate").to_json())
    panel.load_history()
    until_idle()
    assert panel.bar.line.history() == ["gate"]


def test_that_a_search_is_saved_under_a_name(
    panel: SearchPanel, empty_library: Library, until_idle: Callable[[], None], qtbot: QtBot
) -> None:
    spec = QuerySpec("gate", clips=(ClipPart(GATE, Span(1.0, 2.0), 0.5),), where=("channels=2",))
    panel.set_spec(spec)
    panel.open_save()
    popover = panel._save_popover
    assert popover.line.text() == "gate"
    popover.line.setText("  Gates  ")
    with qtbot.waitSignal(panel.saved):
        QTest.keyClick(popover.line, Key.Key_Return)
    assert not popover.isVisible()
    (saved,) = empty_library.saved_searches()
    assert (saved.name, QuerySpec.from_json(saved.query_json)) == ("Gates", spec)


def test_that_every_control_has_a_name(panel: SearchPanel) -> None:
    panel.add_clip(GATE)
    panel.add_negative("voices")
    widgets = [
        *(panel.back_button, panel.forward_button, panel.record_button, panel.save_button, panel.filter_button),
        *(panel.bar, panel.bar.line, *panel.bar.chips),
    ]
    assert all(widget.accessibleName() for widget in widgets)
