"""What stands at both sides of the player's sound: transport, name and time, and how it is played."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from app.panels.output_menu import OutputMenu
from app.plain import PlainLabel
from app.player import MAX_GAIN_DB, MIN_GAIN_DB, PlayerController
from app.theme import GRID, icon
from app.widgets.elided import ElidedLabel
from core.audio.rendition import MAX_SPEED, MIN_SPEED

if TYPE_CHECKING:
    from app.jobs import JobRunner
    from app.shortcut import ShortcutMap

GAIN_STEP_DB, SPEED_STEP = 1.0, 0.05
_SIDE_PX = 34 * GRID


class PlayerControls(QObject):
    """Follows a player and lets it be worked with.

    Args:
        controller: What is played, and how.
        runner: Lists devices in the background.
        shortcuts: For names and hints.
        parent: Owner of the menu of devices.

    Attributes:
        left, right: The two sides.
    """

    def __init__(
        self, controller: PlayerController, *, runner: JobRunner, shortcuts: ShortcutMap, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._controller, self._shortcuts = controller, shortcuts
        self._actions: dict[str, QToolButton] = {}
        self.name = ElidedLabel(name="player.name")
        self.time = PlainLabel(name="player.time")
        self.play_button = self._button("play", "play.toggle", controller.toggle)
        self.stop_button = self._button("stop", "play.stop", controller.stop)
        self.loop_button = self._button("loop", "play.loop", self._toggle_loop, checkable=True)
        self.reverse_button = self._button("reverse", "play.reverse", self._toggle_reverse, checkable=True)
        self.silence_button = self._button("skip-silence", "play.skip_silence", self._toggle_silence, checkable=True)
        self.spectrogram_button = self._button("spectrogram", "view.spectrogram", None, checkable=True)
        self.whole_button = self._button("zoom-all", "view.zoom_all", None)
        self.output_button = self._button("speaker", "", None)
        self.output_button.setAccessibleName(self.tr("Output"))
        self.output_button.setToolTip(self.tr("Output device and channels"))
        self.output_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.output_button.setMenu(OutputMenu(controller, runner, parent))
        self.speed = self._spin_box("×", MIN_SPEED, MAX_SPEED, SPEED_STEP, 2, self.tr("Speed, which changes the pitch"))
        self.gain = self._spin_box(" dB", MIN_GAIN_DB, MAX_GAIN_DB, GAIN_STEP_DB, 1, self.tr("Gain"))
        self.time.setAccessibleName(self.tr("Position"))
        self.left, self.right = self._left(), self._right()
        self.speed.valueChanged.connect(controller.set_speed)
        self.gain.valueChanged.connect(controller.set_gain_db)
        controller.state_changed.connect(lambda _: self._show_state())
        controller.sound_changed.connect(self._show_state)
        controller.device_changed.connect(self._show_device)
        controller.options_changed.connect(self._show_options)
        shortcuts.changed.connect(lambda _: self._hint())
        self._hint()
        self._show_options()
        self._show_state()

    def show_time(self, text: str) -> None:
        """Say where the sound is."""
        if text != self.time.text():
            self.time.setText(text)

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
            self._actions[action] = button
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

    def _hint(self) -> None:
        for action, button in self._actions.items():
            button.setToolTip(self._shortcuts.hint(action))

    def _toggle_loop(self) -> None:
        self._controller.set_looping(self.loop_button.isChecked())

    def _toggle_reverse(self) -> None:
        self._controller.set_reversed(self.reverse_button.isChecked())

    def _toggle_silence(self) -> None:
        self._controller.set_skips_silence(self.silence_button.isChecked())

    def _show_state(self) -> None:
        is_playing = self._controller.is_playing
        self.play_button.setIcon(icon("pause" if is_playing else "play", 5 * GRID))
        for button in (self.play_button, self.stop_button, self.whole_button):
            button.setEnabled(self._controller.path is not None)

    def _show_device(self) -> None:
        problem = self._controller.device_problem
        self.output_button.setIcon(icon("speaker-off" if problem else "speaker", 4 * GRID))
        self.output_button.setToolTip(problem or self.tr("Output device and channels"))
        self.output_button.setAccessibleDescription(problem)

    def _show_options(self) -> None:
        options = self._controller.options
        self.loop_button.setChecked(options.is_looping)
        self.reverse_button.setChecked(options.is_reversed)
        self.silence_button.setChecked(options.skips_silence)
        for box, value in ((self.speed, options.speed), (self.gain, self._controller.gain_db)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
