"""A region on its way out of the player: rendered when it is asked for, a long one from the beginning of the drag."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QWidget

from app.drag import RegionMimeData, RegionRendering, region_cache
from app.theme import GRID, icon
from core.types import Span

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.settings import Settings

_log = logging.getLogger(__name__)


class RegionDrag(QObject):
    """Hands regions to other programs.

    Args:
        runner: Renders long ones in the background.
        settings: How much is added before and after a region, and where it is kept.
        errors: Where problems go.
        source: Where drags begin.

    Attributes:
        cache: Holds what was rendered.
    """

    def __init__(self, *, runner: JobRunner, settings: Settings, errors: ErrorCentre, source: QWidget) -> None:
        super().__init__(source)
        self._runner, self._settings, self._errors, self._source = runner, settings, errors, source
        self._rendering: RegionRendering | None = None
        self.cache = region_cache(settings)

    def drag(self, path: Path | None, region: Span | None) -> None:
        """Drag a region until it is dropped."""
        if path is None or region is None:
            return
        drag = QDrag(self._source)
        mime = self.mime(path, region)
        drag.setMimeData(mime)
        drag.setPixmap(icon("waveform", 8 * GRID, colour="accent").pixmap(8 * GRID))
        if drag.exec(Qt.DropAction.CopyAction, Qt.DropAction.CopyAction) == Qt.DropAction.IgnoreAction:
            self.forget(was_asked=mime.was_asked)

    def mime(self, path: Path, region: Span) -> RegionMimeData:
        """What a drag of a region carries. A long one is rendered from now on, in the background."""
        handles_s = self._settings.export.handle_s
        rendering = self._rendering
        if rendering is None or not rendering.is_of(path, region, handles_s):
            if rendering is not None:
                rendering.cancel()
            rendering = RegionRendering(path, region, handles_s=handles_s, cache=self.cache)
            self._rendering = rendering if rendering.is_long else None
        if rendering.is_long:
            rendering.begin(self._runner, on_ready=lambda: _log.info("a region is rendered"))
        return RegionMimeData(
            rendering,
            cache=self.cache,
            on_failed=self._errors.known,
            on_unready=lambda: self._errors.notice(
                self.tr("The region is long and still being written. Drag it once more in a moment.")
            ),
        )

    def forget(self, *, was_asked: bool) -> None:
        """A drag ended nowhere: unless a program wants the region after all, it need not be written."""
        if not was_asked and self._rendering is not None:
            self._rendering.cancel()
            self._rendering = None
