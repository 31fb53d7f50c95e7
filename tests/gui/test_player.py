"""The player panel, with a test in the place of the sound device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_device import FakeOutput, ramp_file
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot
from sound import noise, tone, write_sound

from app.errors import ErrorCentre
from app.jobs import JobRunner
from app.panels.player import PlayerPanel
from app.settings import Settings
from app.shortcut import ShortcutMap
from core.audio.device import DeviceError, OutputChoice, SoundDevice
from core.audio.peaks import PeakMeter
from core.audio.playback import PlayState
from core.audio.rendition import MAX_SPEED, MIN_SPEED
from core.errors import KnownError
from core.types import Span


@pytest.fixture
def output() -> FakeOutput:
    return FakeOutput()


@pytest.fixture
def make_panel(
    qtbot: QtBot,
    runner: JobRunner,
    settings: Settings,
    errors: ErrorCentre,
    shortcuts: ShortcutMap,
    output: FakeOutput,
    tmp_path: Path,
) -> Iterator[Callable[[], PlayerPanel]]:
    made: list[PlayerPanel] = []
    settings.caches.folder = str(tmp_path / "cache")

    def make() -> PlayerPanel:
        panel = PlayerPanel(runner=runner, settings=settings, errors=errors, shortcuts=shortcuts, open_stream=output)
        panel.resize(1000, 160)
        qtbot.addWidget(panel)
        made.append(panel)
        return panel

    yield make
    for panel in made:
        panel.close_down()


@pytest.fixture
def panel(make_panel: Callable[[], PlayerPanel]) -> PlayerPanel:
    return make_panel()


def until_playing(qtbot: QtBot, panel: PlayerPanel) -> None:
    qtbot.waitUntil(lambda: panel.controller.state is PlayState.PLAYING, timeout=10_000)


def play(qtbot: QtBot, panel: PlayerPanel, path: Path, span: Span | None = None) -> None:
    panel.open(path, span, play=True)
    until_playing(qtbot, panel)


def test_that_a_row_plays_from_its_matched_moment(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path
) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    play(qtbot, panel, tmp_path / "a.wav", Span(2.0, 3.0))
    np.testing.assert_array_equal(output.pull_sound(24_000)[192:], sound[96_192:120_000])
    qtbot.waitUntil(lambda: panel.controller.position_s == pytest.approx(2.5, abs=0.01))
    assert panel.view.playhead_s == pytest.approx(2.5, abs=0.01)
    assert panel.controls.time.text() == "0:02.5 / 0:04.0"


def test_that_who_prefers_the_beginning_gets_it(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, settings: Settings, tmp_path: Path
) -> None:
    settings.audio.from_moment = False
    sound = ramp_file(tmp_path / "a.wav")
    play(qtbot, panel, tmp_path / "a.wav", Span(2.0, 3.0))
    np.testing.assert_array_equal(output.pull_sound(480), sound[:480])


def test_that_the_button_and_space_play_and_pause(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path
) -> None:
    ramp_file(tmp_path / "a.wav")
    panel.open(tmp_path / "a.wav", play=False)
    assert not panel.controller.is_playing
    with qtbot.waitActive(panel):
        panel.show()
        panel.activateWindow()
    qtbot.mouseClick(panel.controls.play_button, Qt.MouseButton.LeftButton)
    until_playing(qtbot, panel)
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: panel.controller.state is PlayState.PAUSED)
    qtbot.keyClick(panel.view, Qt.Key.Key_Space)
    until_playing(qtbot, panel)
    qtbot.keyClick(panel.view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: panel.controller.state is PlayState.STOPPED)


def test_that_space_and_letters_stay_text_in_a_text_field(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path
) -> None:
    ramp_file(tmp_path / "a.wav")
    window = QWidget()
    field = QLineEdit()
    layout = QVBoxLayout(window)
    layout.addWidget(field)
    layout.addWidget(panel)
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    panel.open(tmp_path / "a.wav", play=False)
    field.setFocus()
    qtbot.keyClicks(field, "glass rain")
    assert field.text() == "glass rain"
    assert panel.controller.state is PlayState.STOPPED
    assert not panel.controller.options.is_reversed
    window.layout().removeWidget(panel)
    panel.setParent(None)


def test_that_seeking_by_key_and_click_moves_the_playhead(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path
) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    panel.open(tmp_path / "a.wav", play=False, duration_s=4.0)
    panel.seek_by(1.0)
    panel.seek_by(10.0)
    assert panel.controller.position_s == 4.0
    panel.seek_by(-20.0)
    assert panel.controller.position_s == 0.0
    panel.view.sought.emit(1.5)
    panel.toggle()
    until_playing(qtbot, panel)
    np.testing.assert_array_equal(output.pull_sound(4_800)[192:], sound[72_192:76_800])


def test_that_a_region_is_looped_and_left_again(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path
) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    panel.open(tmp_path / "a.wav", play=False, duration_s=4.0)
    told: list[Span | None] = []
    panel.region_changed.connect(told.append)
    panel.controls.loop_button.click()
    panel.view.choose(Span(1.0, 1.25))
    assert told == [Span(1.0, 1.25)]
    assert panel.controller.position_s == 1.0
    panel.toggle()
    until_playing(qtbot, panel)
    played = output.pull_sound(36_000)
    np.testing.assert_array_equal(played[12_000:], np.concatenate([sound[48_000:60_000]] * 2))
    panel.clear_region()
    assert panel.controller.options.region is None


def test_that_another_sound_has_no_region(qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path) -> None:
    ramp_file(tmp_path / "a.wav")
    sound = ramp_file(tmp_path / "b.wav", channels=1)
    panel.open(tmp_path / "a.wav", play=False)
    panel.view.choose(Span(1.0, 1.25))
    told: list[Span | None] = []
    panel.region_changed.connect(told.append)
    play(qtbot, panel, tmp_path / "b.wav")
    assert told == [None]
    assert panel.region is None
    np.testing.assert_array_equal(output.pull_sound(96_000)[:, :1], sound[:96_000])


def test_that_speed_gain_and_direction_are_heard_and_remembered(
    qtbot: QtBot, panel: PlayerPanel, make_panel: Callable[[], PlayerPanel], settings: Settings,
    shortcuts: ShortcutMap, output: FakeOutput, tmp_path: Path,
) -> None:  # fmt: skip
    write_sound(tmp_path / "a.wav", tone(2.0, frequency_hz=500.0), subtype="FLOAT")
    panel.controls.speed.setValue(2.0)
    panel.controls.gain.setValue(-6.0)
    panel.controls.reverse_button.click()
    play(qtbot, panel, tmp_path / "a.wav")
    played = output.pull_sound(24_000)[2_000:, 0]
    spectrum = np.abs(np.fft.rfft(played * np.hanning(len(played))))
    assert np.argmax(spectrum) * 48_000 / len(played) == pytest.approx(1000.0, abs=5)
    assert np.abs(played).max() == pytest.approx(0.25, rel=0.03)
    audio = settings.audio
    assert (audio.speed, audio.gain_db, audio.reverse) == (2.0, -6.0, True)
    panel.close_down()
    again = PlayerPanel(
        runner=panel._runner, settings=settings, errors=panel._errors, shortcuts=ShortcutMap(settings),
        open_stream=output,
    )  # fmt: skip
    qtbot.addWidget(again)
    assert (again.controls.speed.value(), again.controls.gain.value(), again.controls.reverse_button.isChecked()) == (
        2.0,
        -6.0,
        True,
    )
    again.close_down()


def test_that_silence_is_skipped_by_its_button_and_that_is_remembered(
    qtbot: QtBot, panel: PlayerPanel, settings: Settings, output: FakeOutput, tmp_path: Path
) -> None:
    path = write_sound(tmp_path / "a.wav", np.concatenate([noise(0.5), np.zeros((4 * 48_000, 1)), noise(0.5)]))
    panel.controls.silence_button.click()
    assert settings.audio.skip_silence
    play(qtbot, panel, path)
    heard = output.pull_sound(48_000)
    longest = max(len(run) for run in "".join("0" if not value else "1" for value in heard[:, 0]).split("1"))
    assert longest < 24_000, "of four seconds of silence less than half of one is left"
    panel.controls.silence_button.click()
    assert not settings.audio.skip_silence


def test_that_the_end_of_a_sound_goes_back_to_its_beginning(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path
) -> None:
    write_sound(tmp_path / "a.wav", noise(0.2))
    moved: list[tuple[Path | None, float]] = []
    panel.moved.connect(lambda path, position_s: moved.append((path, position_s)))
    play(qtbot, panel, tmp_path / "a.wav")

    def has_ended() -> bool:
        output.pull(480)
        return panel.controller.state is PlayState.STOPPED

    qtbot.waitUntil(has_ended, timeout=10_000)
    assert panel.controller.position_s == 0.0
    assert (tmp_path / "a.wav") in {path for path, _ in moved}
    assert moved[-1] == (None, 0.0)
    assert panel.controls.time.text().startswith("0:00.0")


def test_that_neighbours_are_ready_before_they_are_chosen(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path
) -> None:
    ramp_file(tmp_path / "a.wav")
    panel.prepare([(tmp_path / "a.wav", Span(1.0, 2.0))])
    cache = panel.controller._player._cache
    qtbot.waitUntil(lambda: cache.size_bytes == 2 * 48_000 * 8, timeout=10_000)


def test_that_a_missing_device_is_told_once_and_nothing_breaks(
    qtbot: QtBot, panel: PlayerPanel, errors: ErrorCentre, output: FakeOutput, tmp_path: Path
) -> None:
    output.missing = {""}
    told: list[KnownError] = []
    errors.known_raised.connect(told.append)
    for name in ("a.wav", "b.wav", "c.wav"):
        ramp_file(tmp_path / name)
        panel.open(tmp_path / name, play=True)
        qtbot.waitUntil(lambda: panel.controller.state is PlayState.STOPPED and bool(told), timeout=10_000)
    assert len(told) == 1
    assert isinstance(told[0], DeviceError)
    output.missing = set()
    play(qtbot, panel, tmp_path / "a.wav")


def test_that_a_device_that_vanishes_stops_where_it_was(
    qtbot: QtBot, panel: PlayerPanel, errors: ErrorCentre, output: FakeOutput, tmp_path: Path
) -> None:
    sound = ramp_file(tmp_path / "a.wav")
    told: list[KnownError] = []
    errors.known_raised.connect(told.append)
    play(qtbot, panel, tmp_path / "a.wav")
    output.pull_sound(96_000)
    output.stream.vanish()
    qtbot.waitUntil(lambda: bool(told), timeout=10_000)
    assert "gone" in told[0].message
    assert panel.controller.state is PlayState.STOPPED
    at_s = panel.controller.position_s
    assert at_s == pytest.approx(2.0, abs=0.02)
    panel.toggle()
    until_playing(qtbot, panel)
    begin = round(at_s * 48_000)
    np.testing.assert_array_equal(output.pull_sound(4_800)[192:], sound[begin + 192 : begin + 4_800])


def test_that_a_file_that_cannot_be_played_is_a_quiet_notice(
    qtbot: QtBot, panel: PlayerPanel, errors: ErrorCentre, output: FakeOutput, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_text("no sound")
    with qtbot.waitSignal(errors.noticed, timeout=10_000) as noticed:
        panel.open(tmp_path / "broken.wav", play=True)
    assert "broken.wav" in noticed.args[0]
    qtbot.waitUntil(lambda: "text file" in panel.view._message, timeout=10_000)
    assert panel.controller.state is PlayState.STOPPED


def test_that_the_output_can_be_chosen_by_device_and_channels(
    qtbot: QtBot, panel: PlayerPanel, settings: Settings, output: FakeOutput, tmp_path: Path
) -> None:
    menu = panel.controls.output_button.menu()
    devices = [
        SoundDevice("Speakers", "host", 2, 48_000, is_default=True),
        SoundDevice("Interface & more", "host", 8, 48_000),
    ]
    menu.show_devices(devices)
    interface = next(action for action in menu.actions() if "Interface" in action.text())
    assert interface.text() == "Interface && more"
    interface.trigger()
    menu.show_devices(devices)
    channels = next(action.menu() for action in menu.actions() if action.menu() is not None)
    assert [action.text() for action in channels.actions()] == ["1–2", "3–4", "5–6", "7–8"]
    channels.actions()[1].trigger()
    assert panel.controller.output == OutputChoice("host: Interface & more", 2)
    assert (settings.audio.output_device, settings.audio.output_channels) == ("host: Interface & more", [3, 4])
    ramp_file(tmp_path / "a.wav")
    play(qtbot, panel, tmp_path / "a.wav")
    played = output.pull_sound(480)
    assert not played[:, :2].any()
    assert played[:, 2:4].any()


def test_that_one_channel_of_a_sound_can_be_listened_to(
    qtbot: QtBot, panel: PlayerPanel, output: FakeOutput, tmp_path: Path
) -> None:
    sound = ramp_file(tmp_path / "a.wav", channels=4)
    play(qtbot, panel, tmp_path / "a.wav")
    menu = panel.controls.output_button.menu()
    menu.show_devices([])
    (listen,) = (action.menu() for action in menu.actions() if action.menu() is not None)
    assert len(listen.actions()) == 5
    listen.actions()[3].trigger()
    qtbot.waitUntil(lambda: panel.controller.state is PlayState.PLAYING)
    played = output.pull_sound(4_800)[1_000:]
    ratio = sound[50_000, 2] / sound[50_000, 0]
    assert ratio == pytest.approx(0.75)
    np.testing.assert_array_equal(played[:, 0], played[:, 1])
    panel.open(tmp_path / "a.wav", play=False)


def test_that_the_outline_of_the_list_is_shown_at_once(panel: PlayerPanel, tmp_path: Path) -> None:
    sound = noise(2.0)
    meter = PeakMeter(48_000, 1)
    meter.add(sound)
    panel.open(write_sound(tmp_path / "a.wav", sound), play=False, peaks=meter.result())
    assert panel.axis.duration_s == 2.0
    assert panel.waveform.columns(panel.axis.visible, 100) is not None


def test_that_a_length_that_was_wrong_is_put_right(
    qtbot: QtBot, panel: PlayerPanel, until_idle: Callable[[], None], tmp_path: Path
) -> None:
    panel.open(write_sound(tmp_path / "a.wav", noise(2.0)), play=False, duration_s=3.0)
    qtbot.waitUntil(lambda: panel.axis.duration_s == 2.0, timeout=10_000)
    assert panel.controls.time.text().endswith("/ 0:02.0")
    until_idle()


def test_that_the_menu_offers_what_can_be_done_with_a_region(qtbot: QtBot, panel: PlayerPanel, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(2.0))
    panel.open(path, play=False, duration_s=2.0)
    texts = {action.text(): action for action in panel.menu(0.5).actions()}
    assert not texts["Search by the region"].isEnabled()
    texts["Region begins here"].trigger()
    assert panel.region == Span(0.5, 2.0)
    texts = {action.text(): action for action in panel.menu(1.0).actions()}
    with qtbot.waitSignal(panel.search_by_region) as search:
        texts["Search by the region"].trigger()
    assert search.args == [path, Span(0.5, 2.0)]
    with qtbot.waitSignal(panel.export_requested) as wanted:
        texts["Export the region…"].trigger()
    assert wanted.args == [path, Span(0.5, 2.0)]
    texts["Region ends here"].trigger()
    texts["Zoom to the region"].trigger()
    assert panel.axis.visible.start_s == pytest.approx(0.45)
    assert panel.axis.visible.end_s == pytest.approx(1.05)


def test_that_every_control_has_a_name_for_screen_readers(panel: PlayerPanel) -> None:
    controls = [*panel.findChildren(QWidget)]
    named = [
        w for w in controls if w.focusPolicy() != Qt.FocusPolicy.NoFocus and w.parent() is not panel.controls.speed
    ]
    silent = [type(w).__name__ for w in named if not w.accessibleName() and w.objectName() != "qt_spinbox_lineedit"]
    assert silent == []


def test_that_names_from_files_are_never_markup(panel: PlayerPanel, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "<b>bold<img src=x>.wav", noise(0.1))
    panel.open(path, play=False)
    assert panel.controls.name.textFormat() == Qt.TextFormat.PlainText
    assert panel.controls.name.whole_text == "<b>bold<img src=x>"
    assert "<b>bold" not in panel.controls.name.toolTip()


def test_that_the_view_shown_is_remembered(panel: PlayerPanel, settings: Settings) -> None:
    panel.controls.spectrogram_button.click()
    assert panel.view.is_spectrogram
    assert settings.layout.choices["player.spectrogram"] is True


def test_that_going_through_a_list_without_a_device_is_a_notice_and_a_key_press_a_dialog(
    qtbot: QtBot, panel: PlayerPanel, errors: ErrorCentre, output: FakeOutput, tmp_path: Path
) -> None:
    output.missing = {""}
    notices: list[str] = []
    dialogs: list[KnownError] = []
    errors.noticed.connect(notices.append)
    errors.known_raised.connect(dialogs.append)
    for name in ("a.wav", "b.wav", "c.wav"):
        ramp_file(tmp_path / name)
        panel.open(tmp_path / name, play=True, is_asked=False)
        qtbot.waitUntil(lambda: panel.controller.state is PlayState.STOPPED and bool(notices), timeout=10_000)
    assert len(notices) == 1
    assert not dialogs
    assert "is not there" in panel.controls.output_button.toolTip()
    panel.toggle()
    qtbot.waitUntil(lambda: bool(dialogs), timeout=10_000)
    output.missing = set()
    play(qtbot, panel, tmp_path / "a.wav")
    qtbot.waitUntil(lambda: panel.controls.output_button.toolTip() == "Output device and channels", timeout=10_000)
    assert len(dialogs) == 1


def test_that_the_regions_edges_are_set_by_keys_that_can_be_changed(
    qtbot: QtBot, panel: PlayerPanel, shortcuts: ShortcutMap, tmp_path: Path
) -> None:
    ramp_file(tmp_path / "a.wav")
    panel.open(tmp_path / "a.wav", play=False, duration_s=4.0)
    panel.show()
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    panel.controller.seek(1.0)
    qtbot.keyClick(panel, Qt.Key.Key_I)
    panel.controller.seek(3.0)
    qtbot.keyClick(panel, Qt.Key.Key_O)
    assert panel.region == Span(1.0, 3.0)
    shortcuts.rebind("region.start", [QKeySequence("B")])
    panel.controller.seek(2.0)
    qtbot.keyClick(panel, Qt.Key.Key_I)
    assert panel.region == Span(1.0, 3.0)
    qtbot.keyClick(panel, Qt.Key.Key_B)
    assert panel.region == Span(2.0, 3.0)


def test_that_every_speed_the_settings_allow_can_be_played(settings: Settings) -> None:
    for speed in (MIN_SPEED, MAX_SPEED):
        settings.audio.speed = speed
    for speed in (MIN_SPEED - 0.01, MAX_SPEED + 0.01):
        with pytest.raises(ValueError, match="speed"):
            settings.audio.speed = speed
