"""The player: transport on the left, the sound in the middle, how it is played on the right."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from app.panels.player_controls import GAIN_STEP_DB, SPEED_STEP, PlayerControls
from app.panels.region_drag import RegionDrag
from app.player import PlayerController
from app.theme import GRID, icon
from app.widgets.ruler import clock_text, tenth_clock
from app.widgets.sound_view import SoundView
from app.widgets.spectrogram import SpectrogramSource
from app.widgets.time_axis import TimeAxis
from app.widgets.waveform import WaveformSource
from core.audio.cache import CacheFolder
from core.audio.device import OpenOutput, open_output
from core.types import Span

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.audio.peaks import Peaks

_WAVEFORMS_BYTES = 512 << 20
_SPECTROGRAM = "player.spectrogram"
_NEIGHBOURS = 8

_log = logging.getLogger(__name__)


class PlayerPanel(QWidget):
    """Plays one sound and shows it large.

    Args:
        runner: Reads waveforms and lists devices in the background.
        settings: How sounds are played, and which view is shown.
        errors: Where problems go.
        shortcuts: Keys.
        open_stream: How to open a device; tests hand in their own.
        parent: Owner.

    Attributes:
        region_changed: (Span | None) another region was chosen.
        search_by_region: (Path, Span) sounds like the region are wanted.
        export_requested: (Path, Span | None) the region, or the whole sound, is to be exported.
        moved: (Path | None, float) which moment of which sound is heard; None when nothing plays.
    """

    region_changed = Signal(object)
    search_by_region = Signal(object, object)
    export_requested = Signal(object, object)
    moved = Signal(object, float)

    def __init__(
        self,
        *,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        open_stream: OpenOutput = open_output,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("player")
        self._runner, self._settings, self._errors, self._shortcuts = runner, settings, errors, shortcuts
        self.controller = PlayerController(settings, errors, open_stream=open_stream, parent=self)
        self.regions = RegionDrag(runner=runner, settings=settings, errors=errors, source=self)
        self.axis = TimeAxis(self)
        waveforms = CacheFolder(settings.caches.place() / "waveforms", _WAVEFORMS_BYTES)
        self.waveform = WaveformSource(runner, waveforms, self)
        self.spectrogram = SpectrogramSource(runner, self)
        self.view = SoundView(self.waveform, self.spectrogram, self.axis)
        self.controls = PlayerControls(self.controller, runner=runner, shortcuts=shortcuts, parent=self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        layout.setSpacing(2 * GRID)
        layout.addWidget(self.controls.left)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.controls.right)
        self._connect()
        self._bind_shortcuts()
        self._show_state()
        for cache in (self.regions.cache, waveforms):
            runner.call(cache.trim, on_result=lambda left: _log.debug("%d bytes cached", left), name="trim a cache")

    # What others use.

    @property
    def path(self) -> Path | None:
        """The sound at hand."""
        return self.controller.path

    @property
    def region(self) -> Span | None:
        """The chosen stretch of it."""
        return self.view.region

    def open(
        self,
        path: Path,
        span: Span | None = None,
        *,
        play: bool,
        moments: Sequence[Span] = (),
        duration_s: float | None = None,
        peaks: Peaks | None = None,
        is_asked: bool = True,
    ) -> None:
        """Take a sound to hand.

        Args:
            path: The file.
            span: The moment that matched; playing begins there if the settings say so.
            play: Whether to play at once.
            moments: All moments to light, the one that matched if none is given.
            duration_s: Its length, if it is known.
            peaks: Its small outline, if there is one, to be drawn until a finer one is there.
            is_asked: Whether the user asked to hear it; if it plays by itself, a missing device is no more than a
                notice.
        """
        is_other = path != self.path
        start_s = span.start_s if span is not None and self._settings.audio.from_moment else 0.0
        if is_other:
            self.view.set_region(None)
            self.view.set_message("")
            self.axis.reset(duration_s or (peaks.duration_s if peaks is not None else 0.0))
            self.waveform.open(path, peaks)
            self.spectrogram.open(path)
            self.controls.name.show_text(path.stem, hint=str(path))
        self.view.set_moments(moments or (() if span is None else (span,)))
        self.controller.open(path, start_s=start_s, play=play, is_asked=is_asked)
        if is_other:
            self.region_changed.emit(None)

    def prepare(self, sounds: Sequence[tuple[Path, Span | None]]) -> None:
        """Decode ahead what may be played next, nearest first."""
        from_moment = self._settings.audio.from_moment
        self.controller.prepare(
            [(path, span.start_s if span and from_moment else 0.0) for path, span in sounds[:_NEIGHBOURS]]
        )

    def toggle(self) -> None:
        """Play or pause."""
        self.controller.toggle()

    def stop(self) -> None:
        """Stop."""
        self.controller.stop()

    def seek_by(self, seconds: float) -> None:
        """Go forward, or back."""
        if self.path is not None:
            self.controller.seek(min(self.axis.duration_s, self.controller.position_s + seconds))

    def clear_region(self) -> None:
        """Choose no region."""
        self.view.choose(None)

    def close_down(self) -> None:
        """Stop everything and let go of the device."""
        self.waveform.close()
        self.spectrogram.close()
        self.controller.close()

    # How it is put together.

    def _connect(self) -> None:
        controller, view = self.controller, self.view
        controller.state_changed.connect(lambda _: self._show_state())
        controller.sound_changed.connect(self._show_state)
        controller.moved.connect(self._on_moved)
        view.sought.connect(controller.seek)
        view.region_changed.connect(self._on_region_changed)
        view.region_dragged_out.connect(lambda: self.regions.drag(self.path, self.region))
        view.menu_requested.connect(self._show_menu)
        self.waveform.length_known.connect(self._on_length_known)
        self.waveform.failed.connect(view.set_message)
        self.controls.whole_button.clicked.connect(lambda _=False: self.axis.show_all())
        self.controls.spectrogram_button.clicked.connect(lambda _=False: self._toggle_spectrogram())
        view.set_spectrogram(bool(self._settings.layout.choices.get(_SPECTROGRAM, False)))
        self.controls.spectrogram_button.setChecked(view.is_spectrogram)

    def _bind_shortcuts(self) -> None:
        controller, axis = self.controller, self.axis
        for action, do in (
            ("play.toggle", self.toggle),
            ("play.stop", self.stop),
            ("play.from_start", lambda: controller.play_from(0.0)),
            ("seek.back", lambda: self.seek_by(-1)),
            ("seek.forward", lambda: self.seek_by(1)),
            ("seek.back_far", lambda: self.seek_by(-10)),
            ("seek.forward_far", lambda: self.seek_by(10)),
            ("play.loop", self.controls.loop_button.click),
            ("play.reverse", self.controls.reverse_button.click),
            ("play.skip_silence", self.controls.silence_button.click),
            ("play.auto_audition", self._toggle_auto_audition),
            ("play.gain_up", lambda: controller.set_gain_db(controller.gain_db + GAIN_STEP_DB)),
            ("play.gain_down", lambda: controller.set_gain_db(controller.gain_db - GAIN_STEP_DB)),
            ("play.faster", lambda: controller.set_speed(controller.options.speed + SPEED_STEP)),
            ("play.slower", lambda: controller.set_speed(controller.options.speed - SPEED_STEP)),
            ("view.zoom_in", lambda: axis.zoom(2.0, controller.position_s)),
            ("view.zoom_out", lambda: axis.zoom(0.5, controller.position_s)),
            ("view.zoom_all", axis.show_all),
            ("view.spectrogram", self.controls.spectrogram_button.click),
            ("region.start", lambda: self.view.choose_edge(start_s=controller.position_s)),
            ("region.end", lambda: self.view.choose_edge(end_s=controller.position_s)),
            ("region.clear", self.clear_region),
            ("search.region", self._search_by_region),
        ):
            self._shortcuts.bind(self, action, do)

    # What the user does.

    def _toggle_spectrogram(self) -> None:
        self.view.set_spectrogram(self.controls.spectrogram_button.isChecked())
        self._settings.layout.choices[_SPECTROGRAM] = self.view.is_spectrogram

    def _toggle_auto_audition(self) -> None:
        audio = self._settings.audio
        audio.auto_audition = not audio.auto_audition
        self._errors.notice(
            self.tr("Sounds play while you go through the list.")
            if audio.auto_audition
            else self.tr("Sounds play only when you ask for it.")
        )

    def _on_region_changed(self, region: Span | None) -> None:
        self.controller.set_region(region)
        self.region_changed.emit(region)

    def _search_by_region(self) -> None:
        if self.path is not None and self.region is not None:
            self.search_by_region.emit(self.path, self.region)

    def _show_menu(self, where: QPoint, time_s: float) -> None:
        if self.path is not None:
            menu = self.menu(time_s)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(where)

    def menu(self, time_s: float) -> QMenu:
        """What can be done with the sound and its region, at a moment."""
        menu = QMenu(self)
        path, region = self.path, self.region
        menu.addAction(icon("play"), self.tr("Play from here"), lambda: self.controller.play_from(time_s))
        menu.addAction(self.tr("Region begins here"), lambda: self.view.choose_edge(start_s=time_s))
        menu.addAction(self.tr("Region ends here"), lambda: self.view.choose_edge(end_s=time_s))
        menu.addSeparator()
        for action in (
            menu.addAction(icon("similar"), self.tr("Search by the region"), self._search_by_region),
            menu.addAction(
                icon("export"), self.tr("Export the region…"), lambda: self.export_requested.emit(path, region)
            ),
            menu.addAction(icon("zoom-in"), self.tr("Zoom to the region"), lambda: self._zoom_to_region()),
            menu.addAction(icon("close"), self.tr("Clear the region"), self.clear_region),
        ):
            action.setEnabled(region is not None)
        menu.addSeparator()
        menu.addAction(icon("export"), self.tr("Export the sound…"), lambda: self.export_requested.emit(path, None))
        menu.addAction(icon("zoom-all"), self.tr("Whole sound"), self.axis.show_all)
        return menu

    def _zoom_to_region(self) -> None:
        region = self.region
        if region is not None:
            margin_s = 0.1 * region.duration_s
            self.axis.show(Span(max(0.0, region.start_s - margin_s), region.end_s + margin_s))

    # What is shown.

    def _on_moved(self, position_s: float) -> None:
        if not self.axis.duration_s and self.controller.duration_s:
            self.axis.reset(self.controller.duration_s)
        self.view.set_playhead(position_s, follow=self.controller.is_playing)
        self._show_time()
        self.moved.emit(self.path if self.controller.is_playing else None, position_s)

    def _on_length_known(self, duration_s: float) -> None:
        self.axis.set_duration(duration_s)
        self._show_time()

    def _show_time(self) -> None:
        if self.path is None:
            self.controls.show_time("")
            return
        position, length = tenth_clock(self.controller.position_s), clock_text(self.axis.duration_s, 0.1)
        self.controls.show_time(f"{position} / {length}")

    def _show_state(self) -> None:
        if self.path is None:
            self.view.set_message(self.tr("Choose a sound to hear it"))
        self._show_time()
        self.moved.emit(self.path if self.controller.is_playing else None, self.controller.position_s)
