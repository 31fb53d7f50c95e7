"""The player: transport on the left, the sound in the middle, how it is played on the right."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from app.drag import RegionMimeData, RegionRendering, region_cache
from app.panels.output_menu import OutputMenu
from app.plain import PlainLabel
from app.player import MAX_GAIN_DB, MIN_GAIN_DB, PlayerController
from app.theme import GRID, icon
from app.widgets.elided import ElidedLabel
from app.widgets.ruler import clock_text, tenth_clock
from app.widgets.sound_view import SoundView
from app.widgets.spectrogram import SpectrogramSource
from app.widgets.time_axis import TimeAxis
from app.widgets.waveform import WaveformSource
from core.audio.cache import CacheFolder
from core.audio.device import OpenOutput, open_output
from core.audio.rendition import MAX_SPEED, MIN_SPEED
from core.types import Span

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.audio.peaks import Peaks

_WAVEFORMS_BYTES = 512 << 20
_SPECTROGRAM = "player.spectrogram"
_SIDE_PX = 34 * GRID
_NEIGHBOURS = 8
_GAIN_STEP_DB, _SPEED_STEP = 1.0, 0.05

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
        self.regions = region_cache(settings)
        self._rendering: RegionRendering | None = None
        self.axis = TimeAxis(self)
        waveforms = CacheFolder(settings.caches.place() / "waveforms", _WAVEFORMS_BYTES)
        self.waveform = WaveformSource(runner, waveforms, self)
        self.spectrogram = SpectrogramSource(runner, self)
        self.view = SoundView(self.waveform, self.spectrogram, self.axis)
        self.name = ElidedLabel(name="player.name")
        self.time = PlainLabel(name="player.time")
        self._build()
        self._connect()
        self._bind_shortcuts()
        self._show_options()
        self._show_state()
        for cache in (self.regions, waveforms):
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
            self.name.show_text(path.stem, hint=str(path))
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

    def _build(self) -> None:
        self.play_button = self._button("play", "play.toggle", self.toggle)
        self.stop_button = self._button("stop", "play.stop", self.stop)
        self.loop_button = self._button("loop", "play.loop", self._toggle_loop, checkable=True)
        self.reverse_button = self._button("reverse", "play.reverse", self._toggle_reverse, checkable=True)
        self.silence_button = self._button("skip-silence", "play.skip_silence", self._toggle_silence, checkable=True)
        self.spectrogram_button = self._button(
            "spectrogram", "view.spectrogram", self._toggle_spectrogram, checkable=True
        )
        self.whole_button = self._button("zoom-all", "view.zoom_all", self.axis.show_all)
        self.output_button = self._button("speaker", "", None)
        self.output_button.setAccessibleName(self.tr("Output"))
        self.output_button.setToolTip(self.tr("Output device and channels"))
        self.output_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.output_button.setMenu(OutputMenu(self.controller, self._runner, self))
        self.speed = self._spin_box(
            "×", MIN_SPEED, MAX_SPEED, _SPEED_STEP, 2, self.tr("Speed, which changes the pitch")
        )
        self.gain = self._spin_box(" dB", MIN_GAIN_DB, MAX_GAIN_DB, _GAIN_STEP_DB, 1, self.tr("Gain"))
        self.time.setAccessibleName(self.tr("Position"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        layout.setSpacing(2 * GRID)
        layout.addWidget(self._left())
        layout.addWidget(self.view, 1)
        layout.addWidget(self._right())

    def _left(self) -> QWidget:
        side = QWidget()
        side.setFixedWidth(_SIDE_PX)
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID)
        for button in (self.play_button, self.stop_button, self.loop_button):
            buttons.addWidget(button)
        buttons.addStretch()
        self.name.setProperty("role", "secondary")
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addStretch()
        column.addLayout(buttons)
        column.addWidget(self.time)
        column.addWidget(self.name)
        column.addStretch()
        return side

    def _right(self) -> QWidget:
        side = QWidget()
        grid = QGridLayout(side)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GRID)
        numbers = QHBoxLayout()
        numbers.setSpacing(GRID)
        numbers.addWidget(self.speed)
        numbers.addWidget(self.gain)
        buttons = QHBoxLayout()
        buttons.setSpacing(0)
        for button in (
            self.reverse_button,
            self.silence_button,
            self.spectrogram_button,
            self.whole_button,
            self.output_button,
        ):
            buttons.addWidget(button)
        grid.setRowStretch(0, 1)
        grid.addLayout(numbers, 1, 0)
        grid.addLayout(buttons, 2, 0)
        grid.setRowStretch(3, 1)
        return side

    def _button(
        self, image: str, action: str, do: Callable[[], object] | None, *, checkable: bool = False
    ) -> QToolButton:
        button = QToolButton()
        side = 5 * GRID if image in ("play", "stop", "loop") else 4 * GRID
        button.setIcon(icon(image, side))
        button.setIconSize(QSize(side, side))
        button.setCheckable(checkable)
        button.setMinimumSize(7 * GRID, 7 * GRID)
        if action:
            button.setAccessibleName(self._shortcuts.action(action).label)
            button.setToolTip(self._shortcuts.hint(action))
        if do is not None:
            button.clicked.connect(lambda _=False: do())
        return button

    def _spin_box(
        self, suffix: str, least: float, most: float, step: float, decimals: int, name: str
    ) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setDecimals(decimals)
        box.setRange(least, most)
        box.setSingleStep(step)
        box.setSuffix(suffix)
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.setKeyboardTracking(False)
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.setFixedWidth(21 * GRID)
        return box

    def _connect(self) -> None:
        controller, view = self.controller, self.view
        controller.state_changed.connect(lambda _: self._show_state())
        controller.sound_changed.connect(self._show_state)
        controller.device_changed.connect(self._show_device)
        controller.moved.connect(self._on_moved)
        controller.options_changed.connect(self._show_options)
        view.sought.connect(controller.seek)
        view.region_changed.connect(self._on_region_changed)
        view.region_dragged_out.connect(self._drag_region_out)
        view.menu_requested.connect(self._show_menu)
        self.waveform.length_known.connect(self._on_length_known)
        self.waveform.failed.connect(view.set_message)
        self.speed.valueChanged.connect(controller.set_speed)
        self.gain.valueChanged.connect(controller.set_gain_db)
        view.set_spectrogram(bool(self._settings.layout.choices.get(_SPECTROGRAM, False)))
        self.spectrogram_button.setChecked(view.is_spectrogram)

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
            ("play.loop", self.loop_button.click),
            ("play.reverse", self.reverse_button.click),
            ("play.skip_silence", self.silence_button.click),
            ("play.auto_audition", self._toggle_auto_audition),
            ("play.gain_up", lambda: controller.set_gain_db(controller.gain_db + _GAIN_STEP_DB)),
            ("play.gain_down", lambda: controller.set_gain_db(controller.gain_db - _GAIN_STEP_DB)),
            ("play.faster", lambda: controller.set_speed(controller.options.speed + _SPEED_STEP)),
            ("play.slower", lambda: controller.set_speed(controller.options.speed - _SPEED_STEP)),
            ("view.zoom_in", lambda: axis.zoom(2.0, controller.position_s)),
            ("view.zoom_out", lambda: axis.zoom(0.5, controller.position_s)),
            ("view.zoom_all", axis.show_all),
            ("view.spectrogram", self.spectrogram_button.click),
            ("region.start", lambda: self.view.choose_edge(start_s=controller.position_s)),
            ("region.end", lambda: self.view.choose_edge(end_s=controller.position_s)),
            ("region.clear", self.clear_region),
            ("search.region", self._search_by_region),
        ):
            self._shortcuts.bind(self, action, do)

    # What the user does.

    def _toggle_loop(self) -> None:
        self.controller.set_looping(self.loop_button.isChecked())

    def _toggle_reverse(self) -> None:
        self.controller.set_reversed(self.reverse_button.isChecked())

    def _toggle_silence(self) -> None:
        self.controller.set_skips_silence(self.silence_button.isChecked())

    def _toggle_spectrogram(self) -> None:
        self.view.set_spectrogram(self.spectrogram_button.isChecked())
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

    def _drag_region_out(self) -> None:
        if self.path is None or self.region is None:
            return
        drag = QDrag(self)
        mime = self.region_mime()
        drag.setMimeData(mime)
        drag.setPixmap(icon("waveform", 8 * GRID, colour="accent").pixmap(8 * GRID))
        if drag.exec(Qt.DropAction.CopyAction, Qt.DropAction.CopyAction) == Qt.DropAction.IgnoreAction:
            self.forget_rendering(was_asked=mime.was_asked)

    def forget_rendering(self, *, was_asked: bool) -> None:
        """A drag ended nowhere: unless a program wants the region after all, it need not be written."""
        if not was_asked and self._rendering is not None:
            self._rendering.cancel()
            self._rendering = None

    def region_mime(self) -> RegionMimeData:
        """What a drag of the region carries. A long one is rendered from now on, in the background.

        Raises:
            ValueError: There is no region.
        """
        if self.path is None or self.region is None:
            raise ValueError("there is no region to drag")
        handles_s = self._settings.export.handle_s
        rendering = self._rendering
        if rendering is None or not rendering.is_of(self.path, self.region, handles_s):
            if rendering is not None:
                rendering.cancel()
            rendering = RegionRendering(self.path, self.region, handles_s=handles_s, cache=self.regions)
            # A short one is kept by the cache alone, so that each drag looks whether its file is still there.
            self._rendering = rendering if rendering.is_long else None
        if rendering.is_long:
            rendering.begin(self._runner, on_ready=lambda: _log.info("a region is rendered"))
        return RegionMimeData(
            rendering,
            cache=self.regions,
            on_failed=self._errors.known,
            on_unready=lambda: self._errors.notice(
                self.tr("The region is long and still being written. Drag it once more in a moment.")
            ),
        )

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

    def _show_state(self) -> None:
        is_playing = self.controller.is_playing
        self.play_button.setIcon(icon("pause" if is_playing else "play", 5 * GRID))
        has_sound = self.path is not None
        for button in (self.play_button, self.stop_button, self.whole_button):
            button.setEnabled(has_sound)
        if not has_sound:
            self.view.set_message(self.tr("Choose a sound to hear it"))
        self._show_time()
        self.moved.emit(self.path if is_playing else None, self.controller.position_s)

    def _show_device(self) -> None:
        problem = self.controller.device_problem
        self.output_button.setIcon(icon("speaker-off" if problem else "speaker", 4 * GRID))
        self.output_button.setToolTip(problem or self.tr("Output device and channels"))
        self.output_button.setAccessibleDescription(problem)

    def _show_time(self) -> None:
        if self.path is None:
            self.time.setText("")
            return
        position, length = tenth_clock(self.controller.position_s), clock_text(self.axis.duration_s, 0.1)
        text = f"{position} / {length}"
        if text != self.time.text():
            self.time.setText(text)

    def _show_options(self) -> None:
        options = self.controller.options
        self.loop_button.setChecked(options.is_looping)
        self.reverse_button.setChecked(options.is_reversed)
        self.silence_button.setChecked(options.skips_silence)
        for box, value in ((self.speed, options.speed), (self.gain, self.controller.gain_db)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
