"""Rows of the catalogue as a list needs them: fetched in the background when they come into sight, and few kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from app.jobs.runner import JobRunner
    from core.audio.peaks import Peaks
    from core.catalogue.browse import DeskRow

CAPACITY = 4_000
# More than the tallest screen shows; what was asked for before has been scrolled away.
_MOST_AT_ONCE = 256


class RowSource(Protocol):
    """The part of the library that lists read."""

    def rows(self, file_ids: Sequence[int]) -> dict[int, DeskRow]: ...

    def peaks(self, file_ids: Sequence[int]) -> dict[int, Peaks]: ...


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A file's row and outline."""

    row: DeskRow
    peaks: Peaks | None


class RowStore(QObject):
    """Keeps the rows used last and fetches others, one query at a time, the newest wishes first.

    Args:
        source: Where rows come from; asked on another thread.
        runner: Does that.
        capacity: Rows kept.
        parent: Owner.

    Attributes:
        loaded: Ids (list[int]) whose rows have come, or are gone from the catalogue.
        failed: (BaseException) why rows could not be read.
    """

    loaded = Signal(object)
    failed = Signal(object)

    def __init__(
        self, source: RowSource, runner: JobRunner, *, capacity: int = CAPACITY, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._source = source
        self._runner = runner
        self._capacity = capacity
        self._kept: OrderedDict[int, StoredRow] = OrderedDict()
        self._wanted: dict[int, None] = {}
        self._absent: set[int] = set()
        self._in_flight: frozenset[int] = frozenset()
        # Ids whose row on the way is older than a change to it.
        self._outdated: set[int] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._fetch)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is wanted and nothing on its way."""
        return not self._wanted and not self._in_flight

    def get(self, file_id: int) -> StoredRow | None:
        """The row, if it is here; otherwise it is fetched and `loaded` tells of it."""
        stored = self._kept.get(file_id)
        if stored is None:
            self.want((file_id,))
            return None
        self._kept.move_to_end(file_id)
        return stored

    def peek(self, file_id: int) -> StoredRow | None:
        """The row, if it is here; nothing is fetched."""
        return self._kept.get(file_id)

    def want(self, file_ids: Iterable[int]) -> None:
        """Fetch rows that are not here."""
        for file_id in file_ids:
            if file_id not in self._kept and file_id not in self._in_flight and file_id not in self._absent:
                self._wanted.pop(file_id, None)
                self._wanted[file_id] = None
        if self._wanted and not self._in_flight and not self._timer.isActive():
            self._timer.start()

    def renew(self, file_ids: Iterable[int]) -> None:
        """Rows have changed in the catalogue: fetch those anew that are here. The old ones are shown meanwhile."""
        changed = set(file_ids)
        self._absent -= changed
        self._outdated |= changed & self._in_flight
        stale = [file_id for file_id in changed if file_id in self._kept]
        for file_id in stale:
            self._wanted[file_id] = None
        if self._wanted and not self._in_flight and not self._timer.isActive():
            self._timer.start()

    def renew_all(self) -> list[int]:
        """Anything may have changed: keep the newest rows until their successors arrive, and forget the rest.

        Returns:
            Ids of those that are kept.
        """
        while len(self._kept) > _MOST_AT_ONCE:
            self._kept.popitem(last=False)
        self._absent.clear()
        self._outdated |= self._in_flight
        kept = list(self._kept)
        self.renew(kept)
        return kept

    def now(self, file_ids: Sequence[int]) -> dict[int, DeskRow]:
        """Rows without waiting for the background, for actions on a selection; ids that are gone are absent."""
        known = {file_id: self._kept[file_id].row for file_id in file_ids if file_id in self._kept}
        missing = [file_id for file_id in file_ids if file_id not in known]
        if missing:
            known.update(self._source.rows(missing))
        return known

    def _fetch(self) -> None:
        if self._in_flight or not self._wanted:
            return
        ids = list(self._wanted)[-_MOST_AT_ONCE:]
        self._wanted.clear()
        self._in_flight = frozenset(ids)
        source = self._source

        def load() -> tuple[Mapping[int, DeskRow], Mapping[int, Peaks]]:
            return source.rows(ids), source.peaks(ids)

        self._runner.call(load, on_result=self._on_loaded, on_failed=self._on_failed, name="rows")

    def _on_loaded(self, found: tuple[Mapping[int, DeskRow], Mapping[int, Peaks]]) -> None:
        rows, peaks = found
        ids = self._in_flight
        self._in_flight = frozenset()
        for file_id in ids:
            row = rows.get(file_id)
            if row is None:
                self._kept.pop(file_id, None)
                self._absent.add(file_id)
            else:
                self._kept[file_id] = StoredRow(row, peaks.get(file_id))
                self._kept.move_to_end(file_id)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        outdated, self._outdated = self._outdated, set()
        self.renew(outdated)
        self.loaded.emit(list(ids))
        if self._wanted:
            self._timer.start()

    def _on_failed(self, error: BaseException) -> None:
        # Asking again at every paint would tell of the same failure many times a second.
        self._absent |= self._in_flight
        self._in_flight = frozenset()
        self.failed.emit(error)
        if self._wanted:
            self._timer.start()
