"""The job that turns a range of the source's rows into a graph on the disk."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from core.index.folder import IndexFolder
from core.index.graph import GraphBuilder
from core.index.protocol import VectorSource
from core.index.reading import Gap, read_rows
from core.index.segment import Segment
from core.index.setting import IndexSettings
from core.jobs import CancelToken, Progress


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """A graph to be built.

    Attributes:
        rows: The range whose rows go into it.
        expected: Rows that will come, as far as known.
        removed_seq: Last tombstone taken into account before reading.
        base: A graph that is to grow, or None.
        keep_graph: Whether the graph stays in memory when it is written.
        keep_half: Whether a graph of the range's beginning is of use when the job is cancelled.
    """

    rows: Gap
    expected: int
    removed_seq: int
    base: Segment | None = None
    keep_graph: bool = False
    keep_half: bool = True


@dataclass(frozen=True, slots=True)
class Built:
    """What became of an order.

    Attributes:
        segment: The graph, or None when there were no rows.
        added: Rows read from the source.
        remainder: The end of a closed range that did not go into the graph, or None.
        cancelled: Whether the token was set on the way.
    """

    segment: Segment | None
    added: int
    remainder: Gap | None
    cancelled: bool


def build_segment(
    order: BuildOrder,
    *,
    source: VectorSource,
    folder: IndexFolder,
    settings: IndexSettings,
    token: CancelToken,
    progress: Progress,
) -> Generator[Progress, None, Built]:
    """Read a range of rows and write their graph, in memory for one segment whatever the range.

    Yields:
        `progress`, advanced by the rows added so far.

    Returns:
        The graph and how far it reaches.

    Raises:
        CancelledError: The token was set before there was anything worth keeping.
        LibraryError: The file cannot be written.
    """
    base_rows = order.base.record.rows if order.base else 0
    room = settings.segment_rows - base_rows
    builder: GraphBuilder | None = None
    added, through_row, whole = 0, order.rows.after_row, True
    for labels, vectors in read_rows(source, order.rows, settings.add_rows):
        if token.cancelled or added == room:
            whole = False
            break
        labels, vectors = labels[: room - added], vectors[: room - added]
        if builder is None:
            builder = GraphBuilder(
                source.dimension,
                capacity=base_rows + max(min(room, order.expected), labels.size),
                settings=settings,
                base=order.base.path if order.base else None,
            )
        builder.add(labels, vectors)
        added, through_row = added + labels.size, int(labels[-1])
        yield replace(progress, done=progress.done + added)
    if token.cancelled and (added < settings.tail_rows or not order.keep_half):
        token.check()
    end_row = order.rows.last_row
    remainder = None if end_row is None or whole else Gap(through_row, end_row)
    if builder is None:
        return Built(None, 0, remainder, token.cancelled)
    segment = folder.save_segment(
        builder,
        after_row=order.base.record.after_row if order.base else order.rows.after_row,
        last_row=end_row if end_row is not None and whole else through_row,
        removed_seq=order.base.record.removed_seq if order.base else order.removed_seq,
        keep_graph=order.keep_graph,
    )
    return Built(segment, added, remainder, token.cancelled)
