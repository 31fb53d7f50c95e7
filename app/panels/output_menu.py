"""The menu of the player's speaker button: device, channels of the device, channel of the sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from app.player import PlayerController
from core.audio.device import DeviceError, OutputChoice, SoundDevice, look_again, output_devices

if TYPE_CHECKING:
    from app.jobs import JobRunner

_MOST_CHANNELS = 64


class OutputMenu(QMenu):
    """Lists the devices in the background each time it opens, since listing them may take long.

    Args:
        controller: Whose output is chosen.
        runner: Lists devices.
        parent: Owner.
    """

    def __init__(self, controller: PlayerController, runner: JobRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self._controller, self._runner = controller, runner
        self._devices: list[SoundDevice] = []
        self._problem = ""
        self.aboutToShow.connect(self._on_about_to_show)
        self._fill()

    def show_devices(self, devices: list[SoundDevice]) -> None:
        """List these."""
        self._devices, self._problem = devices, ""
        self._fill()

    def _on_about_to_show(self) -> None:
        self._fill()
        self._list(again=False)

    def _list(self, *, again: bool) -> None:
        def work() -> list[SoundDevice]:
            if again:
                self._controller.release_device()
                look_again()
            return output_devices()

        self._runner.call(work, on_result=self.show_devices, on_failed=self._on_failed, name="list output devices")

    def _on_failed(self, error: BaseException) -> None:
        if not isinstance(error, DeviceError):
            raise error
        self._problem = error.message
        self._fill()

    def _fill(self) -> None:
        self.clear()
        chosen = self._controller.output
        group = QActionGroup(self)
        self.addSection(self.tr("Play on"))
        self._choice(self, group, self.tr("The system's device"), not chosen.device, OutputChoice())
        for device in self._devices:
            text = device.name if device.name.isprintable() else repr(device.name)
            self._choice(self, group, text, chosen.device == device.key, OutputChoice(device.key))
        if self._problem or not self._devices:
            nothing = self.addAction(self._problem or self.tr("No other device was found"))
            nothing.setEnabled(False)
        self.addAction(self.tr("Look for devices again"), lambda: self._list(again=True))
        self._fill_channels(chosen)
        self._fill_sound_channels()

    def _fill_channels(self, chosen: OutputChoice) -> None:
        device = next((device for device in self._devices if device.key == chosen.device), None)
        if device is None:
            device = next((device for device in self._devices if device.is_default), None)
        if device is None or device.channels <= 2:
            return
        menu = self.addMenu(self.tr("Output channels"))
        group = QActionGroup(menu)
        for first in range(0, min(device.channels, _MOST_CHANNELS) - 1, 2):
            choice = OutputChoice(chosen.device, first)
            self._choice(menu, group, f"{first + 1}–{first + 2}", chosen.first_channel == first, choice)

    def _fill_sound_channels(self) -> None:
        channels = self._controller.channels
        if channels < 2:
            return
        menu = self.addMenu(self.tr("Listen to"))
        group = QActionGroup(menu)
        only = self._controller.options.channel
        for channel in (None, *range(channels)):
            text = self.tr("All channels") if channel is None else self.tr("Channel {0}").format(channel + 1)
            action = self._checked(menu, group, text, only == channel)
            action.triggered.connect(lambda _=False, channel=channel: self._controller.set_channel(channel))

    def _choice(self, menu: QMenu, group: QActionGroup, text: str, is_chosen: bool, choice: OutputChoice) -> None:
        action = self._checked(menu, group, text, is_chosen)
        action.triggered.connect(lambda _=False: self._controller.set_output(choice))

    def _checked(self, menu: QMenu, group: QActionGroup, text: str, is_chosen: bool) -> QAction:
        # An ampersand in a device's name is no mnemonic.
        action = menu.addAction(text.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(is_chosen)
        group.addAction(action)
        return action
