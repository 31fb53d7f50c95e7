"""Asks the library while a person types: never on the main thread, never more than once at a time, newest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from core.errors import KnownError
from core.jobs import CancelToken
from core.search.query import Query, QuerySpec
from core.search.result import SearchResult
from core.types import IntArray

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs.runner import JobRunner
    from core.library import Order

DEBOUNCE_MS = 120
REFRESH_MS = 1_500
LIMIT = 200
TAIL_LIMIT = 1_000
_NAMES_LIMIT = 2_000


class Searchable(Protocol):
    """The part of the library that is asked."""

    def search(
        self, query: Query, *, limit: int, show_all: bool, within: Sequence[int] | IntArray | None
    ) -> SearchResult: ...

    def list_files(
        self, *conditions: str, order: Order = "path", among: Sequence[int] | IntArray | None = None
    ) -> IntArray: ...

    def warm_up(self, cancel: CancelToken | None = None) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class SearchAnswer:
    """What the library said to a question.

    Attributes:
        spec: The question.
        result: Hits with reasons, or nothing where `listed` says it all.
        show_all: Whether weak hits were wanted, too.
        within: Files it was asked of, or None for all.
        listed: Ids of files in order where the question describes no sound, or the encoder is not loaded yet.
        is_names_only: Only names, metadata and captions were looked at; another answer follows.
        is_refresh: The same question as before, asked again because the library has changed.
    """

    spec: QuerySpec
    result: SearchResult
    show_all: bool = False
    within: IntArray | None = None
    listed: IntArray | None = None
    is_names_only: bool = False
    is_refresh: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """One time of asking."""

    number: int
    spec: QuerySpec
    within: IntArray | None
    show_all: bool
    is_refresh: bool = False


class SearchController(QObject):
    """Debounces questions and drops answers that have been overtaken.

    Until the encoder is loaded a question is answered from names first, and by sound as soon as that is possible.

    Args:
        library: Who is asked, on other threads.
        runner: Does that.
        errors: Where bugs go.
        debounce_ms: How long typing must rest.
        refresh_ms: How long changes of the library are collected before the question is asked again.
        parent: Owner.

    Attributes:
        answered: (SearchAnswer)
        failed: (KnownError) the question cannot be understood or answered.
        busy_changed: (bool)
        emptied: Nothing is asked any more.
        warmed: The encoder is loaded.
    """

    answered = Signal(object)
    failed = Signal(object)
    busy_changed = Signal(bool)
    emptied = Signal()
    warmed = Signal()

    def __init__(
        self,
        library: Searchable,
        runner: JobRunner,
        errors: ErrorCentre,
        *,
        debounce_ms: int = DEBOUNCE_MS,
        refresh_ms: int = REFRESH_MS,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library = library
        self._runner = runner
        self._errors = errors
        self._number = 0
        self._question: _Question | None = None
        self._in_flight = 0
        self._must_follow = False
        self._is_warm = False
        self._closing = CancelToken()
        self._is_busy = False
        self._debounce = self._timer(debounce_ms, self._start)
        self._refresh = self._timer(refresh_ms, self._ask_again)

    @property
    def is_warm(self) -> bool:
        """Whether the encoder is loaded, as far as is known here."""
        return self._is_warm

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._is_busy

    def warm_up(self) -> None:
        """Load the encoder and the index in the background, so that the first questions need not wait for them."""
        if not self._is_warm:
            self._runner.call(
                partial(self._library.warm_up, self._closing),
                on_result=self._on_warm,
                name="load the encoder and the index",
            )

    def close(self) -> None:
        """Load nothing more."""
        self._closing.cancel()

    def ask(
        self,
        spec: QuerySpec,
        *,
        within: Sequence[int] | IntArray | None = None,
        show_all: bool = False,
        now: bool = False,
    ) -> None:
        """Ask, in place of whatever was asked before.

        Args:
            spec: The question; an empty one clears the answer.
            within: Ids of the only files that count.
            show_all: Whether weak hits are wanted, too.
            now: Do not wait for more typing.
        """
        self._number += 1
        self._refresh.stop()
        if spec.is_empty:
            self._question = None
            self._debounce.stop()
            self._set_busy(False)
            self.emptied.emit()
            return
        among = None if within is None else np.unique(np.asarray(within, dtype=np.int64))
        self._question = _Question(self._number, spec, among, show_all)
        if now:
            self._debounce.stop()
            self._start()
        else:
            self._debounce.start()

    def forget(self) -> None:
        """Something else is shown now: nothing is asked any more, and an answer on its way is dropped."""
        self._number += 1
        self._question = None
        self._must_follow = False
        self._debounce.stop()
        self._refresh.stop()
        self._set_busy(False)

    def refresh(self) -> None:
        """The library has changed: ask the same again before long."""
        if self._question is not None and not self._refresh.isActive():
            self._refresh.start()

    def _ask_again(self) -> None:
        if self._question is None or self._debounce.isActive() or self._in_flight:
            return
        self._number += 1
        self._question = dataclasses.replace(self._question, number=self._number, is_refresh=True)
        self._start()

    def _start(self) -> None:
        question = self._question
        if question is None:
            return
        try:
            query = question.spec.build()
        except KnownError as error:
            self._set_busy(False)
            self.failed.emit(error)
            return
        if not question.is_refresh:
            self._set_busy(True)
        needs_encoder = bool(query.parts or query.negatives)
        if needs_encoder and not self._is_warm and not question.is_refresh:
            self._ask_names(question, query)
        if self._in_flight:
            # One at a time: what is typed meanwhile is asked when the present one is done, and only the last of it.
            self._must_follow = True
            return
        self._in_flight = question.number
        library = self._library
        work = (
            (lambda: _by_sound(library, question, query))
            if needs_encoder
            else (lambda: _listed(library, question, query))
        )
        self._runner.call(
            work,
            on_result=self._on_answer,
            on_failed=lambda error: self._on_failed(question, error),
            name="search",
        )

    def _ask_names(self, question: _Question, query: Query) -> None:
        named = names_query(query)
        if named is not None:
            library = self._library
            self._runner.call(
                lambda: _by_names(library, question, named),
                on_result=lambda answer: self._on_names(question, answer),
                on_failed=lambda error: self._on_names_failed(error),
                name="search names",
            )

    def _on_names(self, question: _Question, answer: SearchAnswer) -> None:
        # An answer by sound to the same question says all of this and more.
        if question.number == self._number and self._is_busy:
            self.answered.emit(answer)

    def _on_names_failed(self, error: BaseException) -> None:
        if not isinstance(error, KnownError):
            self._errors.raised(error)

    def _on_answer(self, outcome: tuple[int, SearchAnswer]) -> None:
        number, answer = outcome
        self._in_flight = 0
        if answer.listed is None:
            self._on_warm(None)
        if number == self._number:
            self._set_busy(False)
            self.answered.emit(answer)
        self._follow()

    def _on_failed(self, question: _Question, error: BaseException) -> None:
        self._in_flight = 0
        is_bug = not isinstance(error, KnownError)
        if is_bug:
            self._errors.raised(error)
        if question.number == self._number:
            self._set_busy(False)
            failed = KnownError(self.tr("The search failed."), self.tr("Preferences and the log tell more."))
            shown = failed if is_bug else error
            self.failed.emit(shown)
        self._follow()

    def _follow(self) -> None:
        if self._must_follow:
            self._must_follow = False
            if self._question is not None and not self._debounce.isActive():
                self._start()

    def _on_warm(self, _: object) -> None:
        if not self._is_warm:
            self._is_warm = True
            self.warmed.emit()

    def _set_busy(self, busy: bool) -> None:
        if busy != self._is_busy:
            self._is_busy = busy
            self.busy_changed.emit(busy)

    def _timer(self, interval_ms: int, do: Any) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval_ms)
        timer.timeout.connect(do)
        return timer


def names_query(query: Query) -> Query | None:
    """The same question to names, metadata and captions alone: all its words must stand there. None without words."""
    words = tuple((word,) for word in query.lexical.hints)
    if not words:
        return None
    lexical = dataclasses.replace(query.lexical, groups=(*query.lexical.groups, *words))
    return dataclasses.replace(query, parts=(), negatives=(), lexical=lexical)


def _by_sound(library: Searchable, question: _Question, query: Query) -> tuple[int, SearchAnswer]:
    limit = TAIL_LIMIT if question.show_all else LIMIT
    result = library.search(query, limit=limit, show_all=question.show_all, within=question.within)
    answer = SearchAnswer(question.spec, result, question.show_all, question.within, is_refresh=question.is_refresh)
    return question.number, answer


def _by_names(library: Searchable, question: _Question, query: Query) -> SearchAnswer:
    result = library.search(query, limit=LIMIT, show_all=False, within=question.within)
    ids = np.array([hit.file_id for hit in result.hits], dtype=np.int64)
    return SearchAnswer(
        question.spec,
        SearchResult((), considered=result.considered),
        question.show_all,
        question.within,
        listed=ids,
        is_names_only=True,
        is_refresh=question.is_refresh,
    )


def _listed(library: Searchable, question: _Question, query: Query) -> tuple[int, SearchAnswer]:
    """Files that pass filters, where no sound is described."""
    spec = question.spec
    if spec.text.strip():
        result = library.search(query, limit=_NAMES_LIMIT, show_all=True, within=question.within)
        ids = np.array([hit.file_id for hit in result.hits], dtype=np.int64)
    else:
        ids = library.list_files(*spec.where, among=question.within)
    answer = SearchAnswer(
        spec,
        SearchResult((), considered=len(ids)),
        question.show_all,
        question.within,
        listed=ids,
        is_refresh=question.is_refresh,
    )
    return question.number, answer
