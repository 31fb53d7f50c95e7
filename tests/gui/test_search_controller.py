"""Asking while typing: late answers never overwrite newer ones, and names come first while the model is loading."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from made_up_rows import hit
from pytestqt.qtbot import QtBot

from app.errors import ErrorCentre
from app.jobs import JobRunner
from app.search import SearchAnswer, SearchController, names_query
from core.errors import KnownError, ModelError
from core.jobs import CancelToken
from core.library import Library
from core.search.query import Query, QuerySpec, TextPart
from core.search.result import SearchResult
from core.types import IntArray


class SlowLibrary:
    """Answers by sound only when a test says so; names at once."""

    def __init__(self) -> None:
        self.gates: dict[str, threading.Event] = {}
        self.asked: list[str] = []
        self.named: list[tuple[tuple[str, ...], ...]] = []
        self.within: list[IntArray | None] = []
        self.error: Exception | None = None
        self.is_open = True
        self.warming: CancelToken | None = None

    def hold(self, *texts: str) -> None:
        for text in texts:
            self.gates[text] = threading.Event()

    def search(
        self, query: Query, *, limit: int, show_all: bool, within: Sequence[int] | IntArray | None
    ) -> SearchResult:
        if not query.parts and not query.negatives:
            self.named.append(query.lexical.groups)
            return SearchResult((hit(1, 1.0),), considered=9)
        text = query.parts[0].text
        self.asked.append(text)
        self.within.append(None if within is None else np.asarray(within))
        gate = self.gates.get(text)
        if gate is not None:
            assert gate.wait(20)
        if self.error is not None:
            raise self.error
        return SearchResult((hit(len(text)),), considered=limit)

    def list_files(self, *conditions: str, order: str = "path", among: object = None) -> IntArray:
        return np.array([3, 1, 2])

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        self.warming = cancel


class Heard:
    """What the controller has said."""

    def __init__(self, controller: SearchController) -> None:
        self.answers: list[SearchAnswer] = []
        self.errors: list[KnownError] = []
        self.busy: list[bool] = []
        controller.answered.connect(self.answers.append)
        controller.failed.connect(self.errors.append)
        controller.busy_changed.connect(self.busy.append)

    @property
    def texts(self) -> list[str]:
        return [f"{'names ' if answer.is_names_only else ''}{answer.spec.text}" for answer in self.answers]


@pytest.fixture
def library() -> Iterator[SlowLibrary]:
    made = SlowLibrary()
    yield made
    for gate in made.gates.values():
        gate.set()


@pytest.fixture
def controller(library: SlowLibrary, runner: JobRunner, errors: ErrorCentre, qtbot: QtBot) -> SearchController:
    made = SearchController(library, runner, errors, debounce_ms=0, refresh_ms=0)
    made.warm_up()
    qtbot.waitUntil(lambda: made.is_warm)
    return made


@pytest.fixture
def heard(controller: SearchController) -> Heard:
    return Heard(controller)


def test_that_loading_ends_with_the_window(controller: SearchController, library: SlowLibrary) -> None:
    assert library.warming is not None
    assert not library.warming.cancelled
    controller.close()
    assert library.warming.cancelled


def test_that_a_question_is_answered(controller: SearchController, heard: Heard, qtbot: QtBot) -> None:
    controller.ask(QuerySpec("gate"))
    qtbot.waitUntil(lambda: bool(heard.answers))
    assert heard.texts == ["gate"]
    assert heard.busy == [True, False]


def test_that_typing_asks_only_for_what_stands_when_it_rests(
    controller: SearchController, heard: Heard, library: SlowLibrary, qtbot: QtBot
) -> None:
    for end in range(1, 5):
        controller.ask(QuerySpec("gate"[:end]))
    qtbot.waitUntil(lambda: bool(heard.answers))
    assert library.asked == ["gate"]


def test_that_a_stale_answer_never_overwrites_a_newer_one(
    controller: SearchController, heard: Heard, library: SlowLibrary, until_idle: Callable[[], None], qtbot: QtBot
) -> None:
    library.hold("slow")
    controller.ask(QuerySpec("slow"), now=True)
    qtbot.waitUntil(lambda: library.asked == ["slow"])
    controller.ask(QuerySpec("fast"), now=True)
    library.gates["slow"].set()
    qtbot.waitUntil(lambda: bool(heard.answers))
    until_idle()
    assert heard.texts == ["fast"]
    assert heard.busy == [True, False]


def test_that_one_question_at_a_time_is_under_way_and_only_the_last_follows(
    controller: SearchController, heard: Heard, library: SlowLibrary, until_idle: Callable[[], None], qtbot: QtBot
) -> None:
    library.hold("one")
    controller.ask(QuerySpec("one"), now=True)
    for text in ("two", "three", "four"):
        controller.ask(QuerySpec(text), now=True)
    qtbot.waitUntil(lambda: library.asked == ["one"])
    library.gates["one"].set()
    qtbot.waitUntil(lambda: bool(heard.answers))
    until_idle()
    assert library.asked == ["one", "four"]
    assert heard.texts == ["four"]


def test_that_names_answer_first_while_the_model_is_loading(
    library: SlowLibrary, runner: JobRunner, errors: ErrorCentre, qtbot: QtBot
) -> None:
    controller = SearchController(library, runner, errors, debounce_ms=0)
    heard = Heard(controller)
    library.hold("iron gate")
    controller.ask(QuerySpec("iron gate"))
    qtbot.waitUntil(lambda: heard.texts == ["names iron gate"])
    assert heard.busy == [True], "it is still being listened for"
    assert library.named == [(("iron",), ("gate",))]
    library.gates["iron gate"].set()
    qtbot.waitUntil(lambda: heard.texts == ["names iron gate", "iron gate"])
    assert controller.is_warm
    controller.ask(QuerySpec("hinge"))
    qtbot.waitUntil(lambda: heard.texts[-1] == "hinge")
    assert "names hinge" not in heard.texts


def test_that_names_of_an_older_question_are_not_shown(
    library: SlowLibrary, runner: JobRunner, errors: ErrorCentre, until_idle: Callable[[], None], qtbot: QtBot
) -> None:
    controller = SearchController(library, runner, errors, debounce_ms=0)
    heard = Heard(controller)
    controller.ask(QuerySpec("gate"), now=True)
    controller.ask(QuerySpec(""))
    until_idle()
    assert heard.texts == []


def test_that_an_empty_question_clears_and_drops_what_is_under_way(
    controller: SearchController, heard: Heard, library: SlowLibrary, until_idle: Callable[[], None], qtbot: QtBot
) -> None:
    library.hold("gate")
    controller.ask(QuerySpec("gate"), now=True)
    qtbot.waitUntil(lambda: library.asked == ["gate"])
    with qtbot.waitSignal(controller.emptied):
        controller.ask(QuerySpec("  "))
    library.gates["gate"].set()
    until_idle()
    assert heard.answers == []
    assert not controller.is_busy


def test_that_filters_alone_list_files(controller: SearchController, heard: Heard, qtbot: QtBot) -> None:
    controller.ask(QuerySpec(where=("rate>=96k",)))
    qtbot.waitUntil(lambda: bool(heard.answers))
    listed = heard.answers[0].listed
    assert listed is not None
    assert listed.tolist() == [3, 1, 2]


def test_that_a_question_that_cannot_be_understood_is_said_and_asks_nobody(
    controller: SearchController, heard: Heard, library: SlowLibrary, qtbot: QtBot
) -> None:
    controller.ask(QuerySpec("gate AND"))
    qtbot.waitUntil(lambda: bool(heard.errors))
    assert "AND stands at the end" in heard.errors[0].message
    assert library.asked == []
    assert not controller.is_busy


def test_that_a_failure_is_said_and_the_next_question_is_asked(
    controller: SearchController, heard: Heard, library: SlowLibrary, qtbot: QtBot
) -> None:
    library.error = ModelError("The model is damaged.", "Choose another.")
    controller.ask(QuerySpec("gate"))
    qtbot.waitUntil(lambda: bool(heard.errors))
    assert str(heard.errors[0]) == "The model is damaged. Choose another."
    library.error = None
    controller.ask(QuerySpec("hinge"))
    qtbot.waitUntil(lambda: heard.texts == ["hinge"])


def test_that_a_bug_goes_to_the_error_centre_too(
    controller: SearchController,
    heard: Heard,
    library: SlowLibrary,
    errors: ErrorCentre,
    expected_log: list[str],
    qtbot: QtBot,
) -> None:
    expected_log.append("unexpected ZeroDivisionError")
    reports: list[str] = []
    errors.bug_raised.connect(reports.append)
    library.error = ZeroDivisionError("a bug")
    controller.ask(QuerySpec("gate"))
    qtbot.waitUntil(lambda: bool(heard.errors) and bool(reports))
    assert "ZeroDivisionError" in reports[0]
    assert "failed" in heard.errors[0].message


def test_that_a_grown_library_is_asked_again_without_looking_busy(
    controller: SearchController, heard: Heard, library: SlowLibrary, qtbot: QtBot
) -> None:
    controller.ask(QuerySpec("gate"))
    qtbot.waitUntil(lambda: len(heard.answers) == 1)
    controller.refresh()
    controller.refresh()
    qtbot.waitUntil(lambda: len(heard.answers) == 2)
    assert [answer.is_refresh for answer in heard.answers] == [False, True]
    assert library.asked == ["gate", "gate"]
    assert heard.busy == [True, False]


def test_that_refreshing_without_a_question_asks_nobody(
    controller: SearchController, library: SlowLibrary, until_idle: Callable[[], None]
) -> None:
    controller.refresh()
    until_idle()
    assert library.asked == []


def test_that_a_question_can_stay_inside_some_files(
    controller: SearchController, heard: Heard, library: SlowLibrary, qtbot: QtBot
) -> None:
    controller.ask(QuerySpec("gate"), within=[5, 3, 5])
    qtbot.waitUntil(lambda: bool(heard.answers))
    assert heard.answers[0].within is not None
    assert heard.answers[0].within.tolist() == [3, 5]
    assert library.within[0] is not None


def test_that_a_question_of_small_words_has_no_names_to_look_up() -> None:
    assert names_query(QuerySpec("in the").build()) is None
    named = names_query(QuerySpec("gate", negatives=(TextPart("wind"),)).build())
    assert named is not None
    assert (named.parts, named.negatives, named.lexical.groups) == ((), (), (("gate",),))


def test_that_a_real_library_answers_by_name_and_then_by_sound(
    small_library: Library, runner: JobRunner, errors: ErrorCentre, qtbot: QtBot
) -> None:
    controller = SearchController(small_library, runner, errors, debounce_ms=0)
    heard = Heard(controller)
    controller.ask(QuerySpec("dog barks"))
    qtbot.waitUntil(lambda: bool(heard.answers) and not heard.answers[-1].is_names_only, timeout=60_000)
    assert heard.errors == []
    assert "Dog" in heard.answers[-1].result.hits[0].path.name
    controller.ask(QuerySpec(where=("format=mp3",)))
    qtbot.waitUntil(lambda: heard.answers[-1].listed is not None, timeout=60_000)
    listed = heard.answers[-1].listed
    assert listed is not None
    assert [row.name for row in small_library.rows(listed).values()] == ["Motorcycle Revs Twice.mp3"]
