"""Frames of scrolling through 200,000 rows, offscreen.

A frame is: the scroll bar moves, what came from other threads is handed over, and everything is painted. Rows come from
a source that takes as long as a database does, so that scrolling meets rows that are not here yet, as it does in life.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QSize
from PySide6.QtWidgets import QApplication

from app.delegates.ink import Ink
from app.errors import ErrorCentre
from app.jobs import JobRunner
from app.models.results import ResultsModel
from app.models.row_store import RowStore
from app.panels.captions import CaptionsView
from app.theme import apply_theme, body_font
from app.widgets.row_list import RowList
from app.widgets.row_table import RowTable
from core.audio.peaks import Peaks
from core.catalogue.models import FileState
from core.library import CaptionRow, DeskRow
from core.types import IntArray

ROWS = 200_000
FRAMES = 600
WORST_MS, USUAL_MS = 33.0, 16.0
_QUERY_S = 0.004
_WORDS = "metal gate creaks open slowly while distant traffic hums and a dog barks twice behind the wall".split()
_CATEGORIES = ("DOORGate", "ANMLDog", "RAINConc", "THUN", "")


@dataclass(frozen=True, slots=True)
class ScrollTimes:
    """Milliseconds of each frame of one way of scrolling.

    Attributes:
        frames_ms: As a clock shows them: on a busy machine mostly waiting for others.
        cpu_ms: Of the main thread alone.
    """

    name: str
    frames_ms: tuple[float, ...]
    cpu_ms: tuple[float, ...]

    @property
    def worst_ms(self) -> float:
        """The longest frame."""
        return max(self.frames_ms)

    @property
    def usual_ms(self) -> float:
        """99 of 100 frames take less."""
        return float(np.percentile(self.frames_ms, 99))

    @property
    def median_ms(self) -> float:
        """Half of the frames take less."""
        return float(np.median(self.frames_ms))

    @property
    def is_smooth(self) -> bool:
        """Whether it is what the window promises."""
        return self.worst_ms <= WORST_MS and self.usual_ms <= USUAL_MS


class MadeUpRows:
    """200,000 rows that are made when they are asked for, after as long as a query takes."""

    def rows(self, file_ids: Sequence[int] | IntArray) -> dict[int, DeskRow]:
        """Rows of some ids."""
        time.sleep(_QUERY_S)
        return {int(file_id): made_up_row(int(file_id)) for file_id in file_ids}

    def peaks(self, file_ids: Sequence[int] | IntArray) -> dict[int, Peaks]:
        """Outlines of some ids."""
        return {int(file_id): made_up_peaks(int(file_id)) for file_id in file_ids}


def made_up_row(number: int) -> DeskRow:
    """A row that looks like one of a real library; every id has its own."""
    words = [_WORDS[(number * step) % len(_WORDS)] for step in (1, 3, 5, 7, 11, 13)]
    category = _CATEGORIES[number % len(_CATEGORIES)]
    name = f"{category}_{' '.join(words[:3]).title()}_{number:06d}.wav"
    sure = number % 7 != 0
    return DeskRow(
        id=number,
        path=Path(f"/sounds/{number % 300:03d}/{name}"),
        name=name,
        folder=f"/sounds/{number % 300:03d}",
        container="wav",
        sample_rate_hz=(48_000, 96_000)[number % 2],
        channels=1 + number % 2,
        bit_depth=24,
        duration_s=0.3 + number % 400,
        category=category,
        state=FileState.READY,
        skip_reason=None,
        is_offline=False,
        rating=number % 6,
        is_favourite=number % 11 == 0,
        tags=("made up",) if number % 5 == 0 else (),
        caption=CaptionRow(" ".join(words).capitalize(), 0.8, "model", tuple(words[:2]), is_sure=sure),
        peak_db=-1.0,
        loudness_lufs=-20.0 - number % 20,
        size_bytes=number * 100,
        mtime_ns=0,
    )


def made_up_peaks(number: int) -> Peaks:
    """An outline of its own for every id."""
    phase = np.linspace(0, 6.28 * (1 + number % 5), 256, dtype=np.float32)
    high = (60 + 60 * np.abs(np.sin(phase + number))).astype(np.int8)
    return Peaks(-high, high, 0.3 + number % 400)


def measure_scrolling(
    view: RowTable, *, name: str, step_px: int, frames: int = FRAMES, start_px: int = 0
) -> ScrollTimes:
    """Scroll down by as many pixels a frame, and time every frame.

    Args:
        view: A view that is shown.
        name: For the report.
        step_px: Pixels a frame; negative goes up.
        frames: How many.
        start_px: Where to begin.
    """
    bar = view.verticalScrollBar()
    bar.setValue(start_px)
    flags = QEventLoop.ProcessEventsFlag.AllEvents
    QApplication.processEvents(flags)
    view.viewport().repaint()
    times, work = [], []
    for frame in range(1, frames + 1):
        began, began_work = time.perf_counter(), time.thread_time()
        bar.setValue((start_px + frame * step_px) % max(1, bar.maximum()))
        QApplication.processEvents(flags)
        times.append((time.perf_counter() - began) * 1000)
        work.append((time.thread_time() - began_work) * 1000)
    return ScrollTimes(name, tuple(times), tuple(work))


def scroll_times(size: QSize, *, rows: int = ROWS, frames: int = FRAMES) -> list[ScrollTimes]:
    """Open 200,000 rows and scroll through them in several ways: by wheel, by page, by the bar, and as captions."""
    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    apply_theme(application, "dark")
    sys.setswitchinterval(0.001)  # as `app.main` does
    runner = JobRunner(ErrorCentre())
    model = ResultsModel(RowStore(MadeUpRows(), runner))
    ink = Ink(body_font())
    views: tuple[RowTable, ...] = (RowList(model, ink), CaptionsView(model, ink))
    for view in views:
        view.in_sight_changed.connect(lambda view=view: model.prefetch(*view.rows_in_sight()))
        view.resize(size)
        view.show()
    # As the window does when its model is loaded: what lives on need not be looked at again and again.
    gc.collect()
    gc.freeze()
    began, began_work = time.perf_counter(), time.thread_time()
    model.show(np.arange(1, rows + 1, dtype=np.int64))
    for view in views:
        view.viewport().repaint()
    opened = ScrollTimes("open", ((time.perf_counter() - began) * 1000,), ((time.thread_time() - began_work) * 1000,))
    found = [opened]
    for view, kind in zip(views, ("list", "captions"), strict=True):
        other = views[1] if view is views[0] else views[0]
        other.hide()
        view.show()
        page, far = view.viewport().height(), view.row_px * rows // frames
        found += [
            measure_scrolling(view, name=f"{kind}, wheel", step_px=120, frames=frames),
            measure_scrolling(view, name=f"{kind}, page", step_px=page, frames=frames),
            measure_scrolling(view, name=f"{kind}, bar", step_px=far, frames=frames),
        ]
    for view in views:
        view.close()
        view.deleteLater()
    runner.shutdown()
    gc.unfreeze()
    return found


def main() -> None:
    """Print a table."""
    for size in (QSize(1280, 900), QSize(3840, 2160)):
        print(f"{size.width()} x {size.height()}, {ROWS:,} rows")
        for times in scroll_times(size):
            verdict = "" if times.name == "open" else ("ok" if times.is_smooth else "too slow")
            print(
                f"  {times.name:16} median {times.median_ms:6.2f}  99 % {times.usual_ms:6.2f}"
                f"  worst {times.worst_ms:6.2f} ms  {verdict:8}"
                f"  (work: 99 % {np.percentile(times.cpu_ms, 99):5.2f}  worst {max(times.cpu_ms):5.2f})"
            )


if __name__ == "__main__":
    main()
