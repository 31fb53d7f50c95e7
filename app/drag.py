"""Sounds on their way out of the window and into it, by drag and drop, clipboard and file manager."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import quote_from_bytes, unquote_to_bytes

from PySide6.QtCore import QByteArray, QMimeData, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication

from core.audio.cache import CacheFolder
from core.audio.decode import is_audio_candidate
from core.audio.render import render_region, rendered_region
from core.errors import KnownError
from core.types import Span

if TYPE_CHECKING:
    from app.jobs import JobRunner
    from app.jobs.runner import JobHandle
    from app.settings import Settings
    from core.jobs import CancelToken, Event

# What only Earshot itself understands: which stretch of which file is meant.
ROWS_MIME = "application/x-earshot-rows"
_URLS_MIME = "text/uri-list"
_MOST_LOOKED_AT = 2_000
_MIB = 1 << 20
_DAY_S = 86_400
# A longer region is begun with the drag; drops wait no longer for it, all together, than a program would for us.
_LONG_S = 20.0
_PATIENCE_S = 4.0

_log = logging.getLogger(__name__)


class Draggable(Protocol):
    """A row that can be dragged: `app.models.row.ResultRow` is one."""

    @property
    def path(self) -> Path:
        """Where it lies."""

    @property
    def span(self) -> Span | None:
        """The moment that matched."""


@dataclass(frozen=True, slots=True)
class Drop:
    """What something dropped on the window is.

    Attributes:
        kind: "folders" are added to the library, a "clip" (or several) is searched by, "rows" are our own and can go
            to a collection or be searched by; None is of no use here.
        paths: The folders or files.
        spans: For clips and rows, the stretch of each file that is meant, None for all of it.
    """

    kind: Literal["folders", "clip", "rows"] | None
    paths: tuple[Path, ...] = ()
    spans: tuple[Span | None, ...] = ()


def region_cache(settings: Settings) -> CacheFolder:
    """Where regions lie that were dragged out: a project may refer to them for as long as the settings say."""
    caches = settings.caches
    return CacheFolder(caches.place() / "regions", caches.regions_mib * _MIB, spared_s=caches.region_days * _DAY_S)


def file_url(path: Path) -> QUrl:
    """A file's address. Names that are no UTF-8 keep their very bytes, which `QUrl.fromLocalFile` would lose."""
    name = os.fsencode(path)
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return QUrl.fromEncoded(QByteArray(b"file://" + quote_from_bytes(name).encode("ascii")))
    return QUrl.fromLocalFile(str(path))


def local_path(url: QUrl) -> Path:
    """The file of an address, whatever bytes its name is made of."""
    path = url.toLocalFile()
    if "\ufffd" in path and os.name == "posix":
        encoded = bytes(url.toEncoded(QUrl.ComponentFormattingOption.FullyEncoded).data())
        return Path(os.fsdecode(unquote_to_bytes(encoded.removeprefix(b"file://"))))
    return Path(path)


def mime_for_rows(rows: Sequence[Draggable]) -> QMimeData:
    """Rows as their files, which every program takes, with the matched moments for ourselves."""
    data = QMimeData()
    data.setUrls([file_url(row.path) for row in rows])
    data.setData(ROWS_MIME, _packed((row.path, row.span) for row in rows))
    return data


class RegionRendering:
    """A region on its way to a WAV file; made at once when it is asked for, or ahead on another thread.

    Args:
        path: The file.
        span: The stretch.
        handles_s: What to add before and after it.
        cache: Where the file is made.
    """

    def __init__(self, path: Path, span: Span, *, handles_s: float, cache: CacheFolder) -> None:
        self.path, self.span, self.handles_s = path, span, handles_s
        self._cache = cache
        self._handle: JobHandle | None = None
        self._done = threading.Event()
        self._patience_s = _PATIENCE_S
        self._error: KnownError | None = None

    @property
    def is_long(self) -> bool:
        """Whether making it may take longer than a drop may wait."""
        return self.span.duration_s + 2 * self.handles_s > _LONG_S

    def is_of(self, path: Path, span: Span, handles_s: float) -> bool:
        """Whether this is that region."""
        return (self.path, self.span, self.handles_s) == (path, span, handles_s)

    def begin(self, runner: JobRunner, *, on_ready: Callable[[], object]) -> None:
        """Make it in the background, unless it is there or on its way."""
        is_on_its_way = self._handle is not None and not self._done.is_set()
        if is_on_its_way or self._rendered() is not None:
            return
        self._done.clear()
        self._error, self._patience_s = None, _PATIENCE_S

        def job(cancel: CancelToken) -> Iterator[Event]:
            try:
                self._make(cancel)
            finally:
                self._done.set()
            yield from ()

        def failed(error: BaseException) -> None:
            _log.info("a region was not rendered: %s", error)

        self._handle = runner.run(
            job, on_event=lambda _: None, on_finished=on_ready, on_failed=failed, name="render a region"
        )

    def cancel(self) -> None:
        """Break off what `begin` began."""
        if self._handle is not None:
            self._handle.cancel()

    def result(self) -> Path | None:
        """The file, at once if it is there, else waited for a few seconds; None if it is still being made.

        Raises:
            KnownError: It cannot be made.
        """
        if (made := self._rendered()) is not None:
            return made
        if self._handle is None:
            self._make(None)
        else:
            began = time.monotonic()
            self._done.wait(self._patience_s)
            # Whoever drops once more before it is ready has waited long enough.
            self._patience_s = max(0.0, self._patience_s - (time.monotonic() - began))
        if self._error is not None:
            raise self._error
        return self._rendered()

    def _rendered(self) -> Path | None:
        try:
            return rendered_region(self.path, self.span, handles_s=self.handles_s, cache=self._cache)
        except KnownError:
            return None  # making it tells why

    def _make(self, cancel: CancelToken | None) -> None:
        try:
            render_region(self.path, self.span, handles_s=self.handles_s, cache=self._cache, cancel=cancel)
        except KnownError as error:
            self._error = error


class RegionMimeData(QMimeData):
    """A stretch of a sound, which becomes a WAV file when another program asks for it.

    Our own window is told by `ROWS_MIME` what is meant, and never asks for the file.

    Args:
        rendering: The region.
        cache: Holds the file from when it was handed out.
        on_failed: Told why it could not be made.
        on_unready: Called when the drop came before a long region was written.
    """

    def __init__(
        self,
        rendering: RegionRendering,
        *,
        cache: CacheFolder,
        on_failed: Callable[[KnownError], object],
        on_unready: Callable[[], object],
    ) -> None:
        super().__init__()
        self._rendering, self._cache = rendering, cache
        self._on_failed, self._on_unready = on_failed, on_unready
        self._is_told = False
        self.was_asked = False
        self.rendered: Path | None = None

    def formats(self) -> list[str]:
        return [_URLS_MIME, ROWS_MIME]

    def hasFormat(self, mime_type: str) -> bool:
        return mime_type in self.formats()

    def retrieveData(self, mime_type: str, preferred: Any) -> Any:
        if mime_type == ROWS_MIME:
            return QByteArray(_packed([(self._rendering.path, self._rendering.span)]))
        if mime_type != _URLS_MIME:
            return None
        path = self._render()
        return None if path is None else [file_url(path)]

    def _render(self) -> Path | None:
        """The file; what goes wrong is told once a drag, however often a program asks."""
        self.was_asked = True
        if self.rendered is not None or self._is_told:
            return self.rendered
        try:
            self.rendered = self._rendering.result()
        except KnownError as error:
            self._is_told = True
            self._on_failed(error)
            return None
        if self.rendered is None:
            self._is_told = True
            self._on_unready()
        else:
            self._cache.hold(self.rendered)
        return self.rendered


def classify_drop(data: QMimeData) -> Drop:
    """What a drop would be. Cheap enough for every move of the pointer, and makes no region's file."""
    if data.hasFormat(ROWS_MIME):
        rows = _unpacked(bytes(data.data(ROWS_MIME).data()))
        if rows:
            return Drop("rows", tuple(path for path, _ in rows), tuple(span for _, span in rows))
    if not data.hasUrls():
        return Drop(None)
    paths = [local_path(url) for url in data.urls()[:_MOST_LOOKED_AT] if url.isLocalFile()]
    folders = tuple(path for path in paths if os.path.isdir(path))  # noqa: PTH112 - never raises
    if folders:
        return Drop("folders", folders)
    clips = tuple(path for path in paths if is_audio_candidate(path))
    return Drop("clip", clips, (None,) * len(clips)) if clips else Drop(None)


def examples_of(data: QMimeData) -> list[tuple[Path, Span | None]]:
    """What the query bar can search by: dropped files, and dragged rows and regions with their stretch."""
    drop = classify_drop(data)
    return list(zip(drop.paths, drop.spans, strict=True)) if drop.kind in ("clip", "rows") else []


def copy_files(paths: Sequence[Path]) -> None:
    """Put files on the clipboard: pasted as files into a file manager, as paths into a text."""
    data = QMimeData()
    data.setUrls([file_url(path) for path in paths])
    data.setText("\n".join(os.fsencode(path).decode("utf-8", "replace") for path in paths))
    QGuiApplication.clipboard().setMimeData(data)


def reveal(path: Path, *, start: Callable[[list[str]], object] | None = None) -> bool:
    """Show a file in the system's file manager, selected where that is possible.

    Args:
        path: The file.
        start: Starts a program by its arguments; for tests.

    Returns:
        Whether a file manager was found.
    """
    start = start or _start
    try:
        if sys.platform == "darwin":
            start(["open", "-R", str(path)])
            return True
        if sys.platform == "win32":
            start(["explorer", f"/select,{path}"])
            return True
    except OSError as error:
        _log.info("the file manager cannot be started: %s", error)
        return False
    return QDesktopServices.openUrl(file_url(path.parent))


def _start(arguments: list[str]) -> None:
    subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _packed(rows: Iterable[tuple[Path, Span | None]]) -> bytes:
    entries = [[os.fsencode(path).hex(), None if span is None else [span.start_s, span.end_s]] for path, span in rows]
    return json.dumps(entries).encode("ascii")


def _unpacked(data: bytes) -> list[tuple[Path, Span | None]]:
    """What `_packed` made; nothing of anything else, since any program can offer this format."""
    try:
        entries = json.loads(data)
        return [
            (Path(os.fsdecode(bytes.fromhex(path))), None if span is None else Span(float(span[0]), float(span[1])))
            for path, span in entries
        ]
    except (ValueError, TypeError, IndexError, KeyError, RecursionError) as error:
        _log.info("a damaged drag: %s", error)
        return []
