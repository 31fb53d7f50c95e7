"""Keeps the library up to date in the background: folders are scanned, sounds embedded and captioned."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.jobs.runner import JobHandle, JobRunner
from app.phrase import sounds
from core.errors import KnownError, LibraryBusyError
from core.jobs import CancelToken, Event, Notice, PauseToken, Progress, Skipped

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.settings import Settings
    from core.library import Library

# Lists and counts follow what was stored at this pace; each time costs the main thread a little.
GROWTH_MS = 1_500
# Another Earshot may be indexing; look again after this long.
_BUSY_MS = 15_000

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """What the controller is doing, the foremost of it."""

    IDLE = "idle"
    SCANNING = "scanning"
    INDEXING = "indexing"
    CAPTIONING = "captioning"
    REMOVING = "removing"
    STOPPING = "stopping"


class IndexController(QObject):
    """Drives the library's jobs on two lanes: scans, one after the other, and the work on what they found.

    New folders can be searched by name as soon as they were scanned, however much waits to be embedded; captions come
    when nothing waits to be embedded. Whatever is stopped goes on from there the next time.

    Attributes:
        changed: Phase, progress or pause are others than before.
        grew: Files were added or embedded, or folders changed; told at most every 1.5 s.
        skipped: A file was left out; carries `core.jobs.Skipped`.
        finished: Nothing is left to do, or it was stopped.
    """

    changed = Signal()
    grew = Signal()
    skipped = Signal(object)
    finished = Signal()
    _changed_on_disk = Signal(object)

    def __init__(
        self,
        *,
        library: Library,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library, self._runner, self._settings, self._errors = library, runner, settings, errors
        self._pause = PauseToken()
        self._scan: JobHandle | None = None
        self._work: JobHandle | None = None
        self._removal: JobHandle | None = None
        self._scans: deque[tuple[Path, ...]] = deque()
        self._removals: deque[Path] = deque()
        self._scanned: tuple[Path, ...] = ()
        self._waiting_scans: list[tuple[Path, ...]] = []
        self._must_work = False
        self._is_captioning = False
        self._is_closed = False
        self._visible: tuple[int, ...] = ()
        self._watcher: object | None = None
        self.stages: dict[str, Progress] = {}
        self._growth = self._timer(GROWTH_MS, self.grew.emit)
        self._again = self._timer(_BUSY_MS, self._try_again)
        self._changed_on_disk.connect(self._on_changed_on_disk, Qt.ConnectionType.QueuedConnection)

    @property
    def phase(self) -> Phase:
        """What is being done now."""
        running = [handle for handle in (self._scan, self._work, self._removal) if handle is not None]
        if running and all(handle.is_cancelled for handle in running) and not self._waits():
            return Phase.STOPPING
        if self._removal is not None:
            return Phase.REMOVING
        if self._scan is not None:
            return Phase.SCANNING
        if self._work is not None:
            return Phase.CAPTIONING if self._is_captioning else Phase.INDEXING
        return Phase.IDLE

    @property
    def progress(self) -> Progress | None:
        """How far the stage is that `phase` names."""
        stages = {
            Phase.SCANNING: ("scan",),
            Phase.INDEXING: ("graph", "index"),
            Phase.CAPTIONING: ("caption",),
        }.get(self.phase, ())
        return next((self.stages[stage] for stage in stages if stage in self.stages), None)

    @property
    def is_running(self) -> bool:
        """Whether a job is under way, a paused one too."""
        return any(handle is not None for handle in (self._scan, self._work, self._removal))

    @property
    def is_paused(self) -> bool:
        """Whether it was asked to rest; searching works meanwhile."""
        return self._pause.paused

    def is_scanning(self, folder: Path) -> bool:
        """Whether a folder of the library is being looked at."""
        return self._scan is not None and (not self._scanned or folder in self._scanned)

    def add(self, folders: Sequence[Path]) -> None:
        """Make folders part of the library and index them."""
        self.rescan(tuple(dict.fromkeys(folders)))

    def rescan(self, folders: Sequence[Path] = ()) -> None:
        """Look at folders again, at all if none is named, and index what is new or changed."""
        wanted = tuple(folders)
        if not self._is_closed and wanted not in self._scans:
            self._scans.append(wanted)
            self._go_on()

    def go_on(self) -> None:
        """Index and caption what still waits, without looking at the folders."""
        self._must_work = True
        self._go_on()

    def remove(self, folder: Path) -> None:
        """Take a folder out of the library; on disk nothing changes."""
        self._removals.append(folder)
        for handle in (self._scan, self._work):
            if handle is not None:
                handle.cancel()
        self._must_work = True
        self._go_on()

    def pause(self) -> None:
        """Rest after the files in hand."""
        self._pause.pause()
        self.changed.emit()

    def resume(self) -> None:
        """Go on after a pause."""
        self._pause.resume()
        self.changed.emit()

    def toggle_pause(self) -> None:
        """Pause, or resume."""
        if self.is_paused:
            self.resume()
        else:
            self.pause()

    def cancel(self) -> None:
        """Stop; what was finished is kept, and the rest waits for the next time."""
        self._scans.clear()
        self._removals.clear()
        self._must_work = False
        self._waiting_scans = []
        self._again.stop()
        for handle in (self._scan, self._work):
            if handle is not None:
                handle.cancel()
        self._pause.resume()
        self.changed.emit()

    def set_visible(self, file_ids: Sequence[int]) -> None:
        """Say which files are on screen: they get their captions first."""
        self._visible = tuple(file_ids)

    def watch(self) -> None:
        """Follow changes in the library's folders from now on, or no longer, as the settings say."""
        self._drop_watcher()
        if self._is_closed or not self._settings.indexing.watch:
            return
        self._runner.call(
            lambda: self._library.watch(self._changed_on_disk.emit),
            on_result=self._take_watcher,
            on_failed=self._on_watch_failed,
            name="watch folders",
        )

    def close(self) -> None:
        """Stop everything for good; the runner's shutdown then waits for the jobs."""
        self._is_closed = True
        self._growth.stop()
        self.cancel()
        self._drop_watcher()

    def _waits(self) -> bool:
        return bool(self._scans or self._removals or self._must_work)

    def _go_on(self) -> None:
        """Start what can be started now."""
        if self._is_closed:
            return
        if self._removals and self._scan is None and self._work is None and self._removal is None:
            self._removal = self._start(self._remove_folders(), self._removal_job, self._on_removed, "remove folders")
        if self._scans and self._scan is None and self._removal is None and not self._removals:
            self._scanned = self._scans.popleft()
            self.stages.pop("scan", None)
            self._scan = self._start(self._scanned, self._scan_job, self._on_scanned, "scan")
        may_work = self._scan is None and self._removal is None and not self._removals
        if self._must_work and may_work and self._work is None:
            self._must_work = False
            for stage in ("index", "graph", "caption"):
                self.stages.pop(stage, None)
            self._work = self._start((), self._work_job, self._on_worked, "index")
        self.changed.emit()
        if not self.is_running and not self._waits():
            self.finished.emit()

    def _start(
        self,
        folders: tuple[Path, ...],
        job: Callable[[tuple[Path, ...], CancelToken], Iterator[Event]],
        on_ended: Callable[[bool], None],
        name: str,
    ) -> JobHandle:
        def failed(error: BaseException) -> None:
            if isinstance(error, LibraryBusyError):
                self._wait_for_other_program(error, folders)
                on_ended(False)
            else:
                on_ended(False)
                self._errors.raised(error)

        return self._runner.run(
            lambda cancel: job(folders, cancel),
            on_event=self._on_event,
            on_finished=lambda: on_ended(True),
            on_failed=failed,
            name=name,
        )

    def _scan_job(self, folders: tuple[Path, ...], cancel: CancelToken) -> Iterator[Event]:
        yield from self._library.scan(folders, cancel=cancel)

    def _work_job(self, _folders: tuple[Path, ...], cancel: CancelToken) -> Iterator[Event]:
        yield from self._library.embed(jobs=self._settings.indexing.jobs, cancel=cancel, pause=self._pause)
        if self._settings.captions.enabled and self._library.captioner_card() is not None:
            yield from self._library.caption(first=lambda: self._visible, cancel=cancel, pause=self._pause)

    def _removal_job(self, folders: tuple[Path, ...], _cancel: CancelToken) -> Iterator[Event]:
        for folder in folders:
            count = self._library.remove(folder)
            yield Notice(self.tr("{0} were taken out of the library; on disk nothing changed.").format(sounds(count)))

    def _remove_folders(self) -> tuple[Path, ...]:
        folders = tuple(self._removals)
        self._removals.clear()
        return folders

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.stages[event.stage] = event
            if event.stage != "scan":
                self._is_captioning = event.stage == "caption"
            if event.done and not self._growth.isActive() and not self._is_closed:
                self._growth.start()
            self.changed.emit()
        elif isinstance(event, Skipped):
            self.skipped.emit(event)
        elif isinstance(event, Notice):
            self._errors.notice(event.message)

    def _on_scanned(self, succeeded: bool) -> None:
        was_stopped = self._scan is None or self._scan.is_cancelled
        self._scan = None
        if succeeded and not was_stopped:
            # An embedding run takes in what a scan found meanwhile, but for what came in its last moment.
            self._must_work = True
            if self._work is not None and self._is_captioning:
                self._work.cancel()
        self.grew.emit()
        self._go_on()

    def _on_worked(self, _succeeded: bool) -> None:
        self._work = None
        self._is_captioning = False
        self.grew.emit()
        self._go_on()

    def _on_removed(self, _succeeded: bool) -> None:
        self._removal = None
        self.grew.emit()
        self._go_on()

    def _wait_for_other_program(self, error: LibraryBusyError, folders: tuple[Path, ...]) -> None:
        """Say so once, and look again later; until then nothing is started."""
        if not self._again.isActive():
            self._errors.notice(str(error))
        self._must_work = False
        self._waiting_scans = list(dict.fromkeys([*self._waiting_scans, *self._scans, folders]))
        self._scans.clear()
        self._again.start()

    def _try_again(self) -> None:
        self._scans.extend(self._waiting_scans)
        self._waiting_scans = []
        self._go_on()

    def _on_changed_on_disk(self, folder: Path) -> None:
        if not self._is_closed:
            _log.info("changed on disk: %s", folder)
            self.rescan((folder,))

    def _take_watcher(self, watcher: object) -> None:
        self._watcher = watcher
        if self._is_closed:
            self._drop_watcher()

    def _drop_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        close: Callable[[], object] | None = getattr(watcher, "close", None)
        if close is not None:
            close()

    def _on_watch_failed(self, error: BaseException) -> None:
        if isinstance(error, (KnownError, OSError)):
            self._errors.notice(self.tr("Changes in the folders are not noticed by themselves: {0}").format(error))
        else:
            self._errors.raised(error)

    def _timer(self, milliseconds: int, do: Callable[[], object]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(do)
        return timer
