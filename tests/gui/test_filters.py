"""Filters: every choice is an expression, and every expression of ours comes back as a choice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.jobs import JobRunner
from app.models.filter import Choices, choices_of, problem_of
from app.panels.filters import FiltersPanel
from core.library import Library
from core.search.filter import parse_condition

EVERYTHING = Choices(
    folder="SFX 2024/Doors",
    formats=("wav", "flac"),
    least_rate_khz="96",
    channels="2",
    least_duration="0:05",
    most_duration="1:30",
    least_loudness="-30",
    most_loudness="-12.5",
    category="DOORS",
    tag="creaky gate",
    least_rating=3,
    is_favourite=True,
    captioned="no",
    others=("bits>=24",),
)


@pytest.fixture
def panel(small_library: Library, runner: JobRunner, qtbot: QtBot) -> FiltersPanel:
    made = FiltersPanel(small_library, runner)
    qtbot.addWidget(made)
    made.show()
    return made


def test_that_every_choice_is_an_expression_that_the_search_understands() -> None:
    expressions = EVERYTHING.expressions()
    assert len(expressions) == 12
    for expression in expressions:
        parse_condition(expression)


def test_that_expressions_come_back_as_the_same_choices() -> None:
    assert choices_of(EVERYTHING.expressions()) == EVERYTHING
    assert choices_of(()) == Choices()
    assert Choices().expressions() == ()


@pytest.mark.parametrize(
    "choices",
    [
        Choices(channels=">2"),
        Choices(least_duration="2.5"),
        Choices(most_loudness="-20"),
        Choices(captioned="yes"),
        Choices(least_rate_khz="44.1"),
    ],
)
def test_that_single_choices_come_back(choices: Choices) -> None:
    assert choices_of(choices.expressions()) == choices


@pytest.mark.parametrize(
    "expression", ["rate=44100", "format!=mp3", "name=gate", "duration=5", "rating>=7", "format=wma", "nonsense"]
)
def test_that_what_has_no_control_is_kept_as_it_is(expression: str) -> None:
    choices = choices_of((expression, "tag=rain"))
    assert choices.others == (expression,)
    assert choices.expressions() == ("tag=rain", expression)


def test_that_a_second_expression_for_one_control_is_kept_beside_it() -> None:
    choices = choices_of(("ucs=DOORS", "ucs=RAIN", "duration>=1", "duration<=2"))
    assert choices.expressions() == ("duration>=1", "ucs=DOORS", "ucs=RAIN", "duration<=2")


def test_that_quoted_folders_from_elsewhere_are_understood() -> None:
    assert choices_of(('folder:"/a b/c"',)).folder == "/a b/c"


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        (Choices(least_duration="soon"), "is not a number"),
        (Choices(least_duration="1:00", most_duration="0:30"), "its end lies before its beginning"),
        (EVERYTHING, ""),
    ],
)
def test_that_impossible_choices_are_said(choices: Choices, words: str) -> None:
    problem = problem_of(choices)
    assert words in problem
    assert bool(problem) == bool(words)


def test_that_pressing_and_typing_tells_expressions(panel: FiltersPanel) -> None:
    told: list[tuple[str, ...]] = []
    panel.changed.connect(told.append)
    QTest.mouseClick(panel.formats.button("wav"), Qt.MouseButton.LeftButton)
    QTest.mouseClick(panel.formats.button("ogg"), Qt.MouseButton.LeftButton)
    QTest.mouseClick(panel.rate.button("96"), Qt.MouseButton.LeftButton)
    QTest.mouseClick(panel.rating.button("3"), Qt.MouseButton.LeftButton)
    panel.favourite.click()
    QTest.keyClicks(panel.most_duration, "5")
    assert told[0] == ("format=wav",)
    assert told[-1] == panel.expressions()
    assert panel.expressions() == ("format=wav|ogg", "rate>=96k", "duration<=5", "rating>=3", "favourite=yes")
    QTest.mouseClick(panel.rate.button(""), Qt.MouseButton.LeftButton)
    assert "rate>=96k" not in panel.expressions()


def test_that_a_half_typed_number_keeps_the_filters_as_they_were(panel: FiltersPanel) -> None:
    panel.set_expressions(("format=wav",))
    told: list[tuple[str, ...]] = []
    panel.changed.connect(told.append)
    QTest.keyClicks(panel.least_duration, "x")
    assert told == []
    assert panel.expressions() == ("format=wav",)
    assert "is not a number" in panel._problem.text()
    panel.least_duration.clear()
    QTest.keyClicks(panel.least_duration, "2")
    assert told == [("format=wav", "duration>=2")]
    assert not panel._problem.isVisible()


def test_that_filters_are_shown_as_they_are_set_and_told_by_nobody(panel: FiltersPanel, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(panel.changed):
        panel.set_expressions(EVERYTHING.expressions())
    assert panel.choices() == EVERYTHING
    assert "bits>=24" in panel._other_label.text()
    with qtbot.waitSignal(panel.changed) as caught:
        panel.reset_button.click()
    assert caught.args == [()]
    assert panel.choices() == Choices()
    assert not panel.reset_button.isEnabled()


def test_that_a_minus_sign_from_print_is_a_minus(panel: FiltersPanel) -> None:
    QGuiApplication.clipboard().setText("\N{MINUS SIGN}24")
    panel.least_loudness.paste()
    assert panel.expressions() == ("loudness>=-24",)


def test_that_the_library_says_what_there_is_to_choose(
    panel: FiltersPanel, small_library: Library, until_idle: Callable[[], None]
) -> None:
    small_library.add_tag([1], "creaky")
    panel.category.setEditText("DOORS")
    panel.reload()
    until_idle()
    tags = [panel.tag.itemText(place) for place in range(panel.tag.count())]
    categories = [panel.category.itemText(place) for place in range(panel.category.count())]
    assert tags == ["", "creaky"]
    assert {"DOORKnck", "ANMLDog"} <= set(categories)
    assert panel.category.currentText() == "DOORS", "what was chosen stays"


@pytest.mark.parametrize(
    ("expressions", "names"),
    [
        (("format=mp3",), {"Motorcycle Revs Twice.mp3"}),
        (("ucs=ANMLDog",), {"ANMLDog_Small Dog Barks Three Times_EAR_Demo.ogg"}),
        (("folder=weather",), {"Rain Light Drizzle.ogg"}),
        (("rating>=4",), {"Door Knock Urgent.wav"}),
        (("favourite=yes",), {"Door Knock Urgent.wav"}),
        (("captioned=yes",), {"Door Knock Urgent.wav"}),
        (("tag=urgent",), {"Door Knock Urgent.wav"}),
        (("channels>2",), set()),
        (("loudness>=-60", "duration>=0", "format=aiff"), {"Tree Frog Quick Croaks.aiff"}),
    ],
)
def test_that_a_real_library_passes_what_the_filters_say(
    small_library: Library, expressions: tuple[str, ...], names: set[str]
) -> None:
    (knock,) = (int(file_id) for file_id in small_library.list_files("name=Door Knock Urgent"))
    small_library.set_rating([knock], 4)
    small_library.set_favourite([knock], True)
    small_library.add_tag([knock], "urgent")
    small_library.edit_caption(knock, "Somebody knocks on a door")
    ids = small_library.list_files(*choices_of(expressions).expressions())
    assert {row.name for row in small_library.rows(ids).values()} == names


def test_that_every_control_has_a_name(panel: FiltersPanel) -> None:
    controls = [
        *(panel.folder, panel.formats, panel.rate, panel.channels, panel.category, panel.tag, panel.rating),
        *(panel.least_duration, panel.most_duration, panel.least_loudness, panel.most_loudness, panel.captioned),
    ]
    assert all(control.accessibleName() for control in controls)
