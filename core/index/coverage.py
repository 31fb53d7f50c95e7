"""Which graph answers for which range of labels."""

from __future__ import annotations

from core.index.manifest import SegmentRecord
from core.index.reading import Gap
from core.index.segment import Part
from core.index.snapshot import Snapshot


def gaps_between(parts: tuple[Part, ...], sealed_row: int) -> tuple[Gap, ...]:
    """The ranges up to `sealed_row` for which there is no graph."""
    gaps, covered = [], 0
    for part in parts:
        record = part.segment.record
        if covered < record.after_row:
            gaps.append(Gap(covered, record.after_row))
        covered = record.last_row
    if covered < sealed_row:
        gaps.append(Gap(covered, sealed_row))
    return tuple(gaps)


def records_of(snapshot: Snapshot) -> list[SegmentRecord]:
    """What a manifest says of a snapshot's graphs.

    Ranges whose rows are all gone fall to the graph after them, so that they do not look like a lost graph later.
    """
    records, covered = [], 0
    for part in snapshot.parts:
        record = part.segment.record
        if not any(covered <= gap.after_row < record.after_row for gap in snapshot.gaps):
            record = record.model_copy(update={"after_row": covered})
        records.append(record)
        covered = record.last_row
    return records


def sealed_row_of(snapshot: Snapshot) -> int:
    """The highest label that graphs and gaps cover."""
    ends = [part.segment.record.last_row for part in snapshot.parts]
    ends += [gap.last_row for gap in snapshot.gaps if gap.last_row is not None]
    return max(ends, default=0)
