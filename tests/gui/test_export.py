"""Exporting from the window, and recording an example."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_device import FakeInput
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from sound import noise, tone, write_sound

import core.audio.render
from app.errors import ErrorCentre
from app.jobs import JobRunner
from app.panels.export import ExportDialog
from app.panels.record import RecordDialog
from app.settings import Settings
from app.theme import apply_theme
from app.widgets.level import FLOOR_DB, LevelMeter
from core.audio.render import ExportError, ExportItem
from core.types import Span


@pytest.fixture
def make_dialog(
    qtbot: QtBot, runner: JobRunner, settings: Settings, errors: ErrorCentre, tmp_path: Path
) -> Callable[..., ExportDialog]:
    def make(*items: ExportItem) -> ExportDialog:
        settings.export.folder = str(tmp_path / "out")
        dialog = ExportDialog(items, runner=runner, settings=settings, errors=errors)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return make


def done(qtbot: QtBot, dialog: ExportDialog) -> None:
    qtbot.waitUntil(lambda: not dialog.is_running, timeout=20_000)


def test_that_sounds_are_exported_as_asked_and_the_choices_are_kept(
    qtbot: QtBot, make_dialog: Callable[..., ExportDialog], settings: Settings, tmp_path: Path
) -> None:
    paths = [write_sound(tmp_path / f"{name}.wav", noise(0.5, channels=2)) for name in ("gate", "hinge")]
    dialog = make_dialog(*[ExportItem(path, fields={"category": "DOORCreak"}) for path in paths])
    dialog.pattern.setText("{category}_{name}")
    dialog.encoding.setCurrentIndex(dialog.encoding.findData("flac"))
    dialog.rate.setCurrentIndex(dialog.rate.findData(44_100))
    assert dialog.preview.text() == "DOORCreak_gate.flac\nDOORCreak_hinge.flac"
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    done(qtbot, dialog)
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == ["DOORCreak_gate.flac", "DOORCreak_hinge.flac"]
    assert dialog.written == written
    assert {soundfile.info(path).samplerate for path in written} == {44_100}
    assert "2 files" in dialog.summary.text()
    kept = settings.export
    assert (kept.pattern, kept.encoding, kept.sample_rate_hz) == ("{category}_{name}", "flac", 44_100)


def test_that_no_file_is_left_uncounted_while_the_window_is_busy(
    qtbot: QtBot, make_dialog: Callable[..., ExportDialog], tmp_path: Path
) -> None:
    items = [ExportItem(write_sound(tmp_path / f"{number}.wav", noise(0.1))) for number in range(5)]
    dialog = make_dialog(*items)
    dialog.start()
    end = time.monotonic() + 20
    while not (tmp_path / "out" / "4.wav").exists() and time.monotonic() < end:
        time.sleep(0.01)  # the main thread does not come round to the events, so their progress piles up
    done(qtbot, dialog)
    assert [path.name for path in dialog.written] == [f"{number}.wav" for number in range(5)]
    assert "5 files" in dialog.summary.text()


def test_that_a_region_is_exported_with_its_handles(
    qtbot: QtBot, make_dialog: Callable[..., ExportDialog], tmp_path: Path
) -> None:
    path = write_sound(tmp_path / "gate.wav", noise(2.0), subtype="PCM_24")
    dialog = make_dialog(ExportItem(path, Span(0.5, 1.0)))
    assert dialog.handles.isVisible()
    dialog.handles.setValue(0.25)
    dialog.start()
    done(qtbot, dialog)
    heard, _ = soundfile.read(dialog.written[0], dtype="int32")
    source, _ = soundfile.read(path, dtype="int32")
    np.testing.assert_array_equal(heard, source[12_000:60_000])


def test_that_the_names_follow_while_typing_and_a_bad_pattern_says_why(
    make_dialog: Callable[..., ExportDialog], tmp_path: Path
) -> None:
    items = [ExportItem(tmp_path / f"{number}" / "gate.wav") for number in range(12)]
    dialog = make_dialog(*items)
    assert not dialog.handles.isVisible()
    assert dialog.preview.text().splitlines() == ["gate.wav", "gate 2.wav", "gate 3.wav", "…"]
    dialog.pattern.setText("{number} {folder}")
    assert dialog.preview.text().splitlines()[0] == "01 0.wav"
    dialog.pattern.setText("{nmae}")
    assert "unknown field" in dialog.preview.text()
    assert not dialog.export_button.isEnabled()
    dialog.pattern.setText("{name}")
    dialog.folder.setText("")
    assert not dialog.export_button.isEnabled()
    dialog.folder.setText(str(tmp_path))
    assert dialog.export_button.isEnabled()


def test_that_what_could_not_be_exported_is_listed_with_the_reason(
    qtbot: QtBot, make_dialog: Callable[..., ExportDialog], tmp_path: Path
) -> None:
    good = write_sound(tmp_path / "good.wav", noise(0.1))
    (tmp_path / "bad.wav").write_text("no sound")
    dialog = make_dialog(ExportItem(tmp_path / "bad.wav"), ExportItem(good), ExportItem(tmp_path / "missing.wav"))
    dialog.start()
    done(qtbot, dialog)
    lines = [dialog.failures.item(row).text() for row in range(dialog.failures.count())]
    assert len(lines) == 2
    assert lines[0].startswith("bad.wav: ")
    assert "no longer there" in lines[1]
    assert dialog.failures.isVisible()
    assert "1 file was written" in dialog.summary.text()


def test_that_what_was_written_before_the_disk_was_full_is_told(
    qtbot: QtBot, make_dialog: Callable[..., ExportDialog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = core.audio.render._export_one

    def until_full(item: ExportItem, path: Path, *rest: Any) -> Path:
        if path.name == "2.wav":
            raise ExportError("There is no space left.")
        return written(item, path, *rest)

    monkeypatch.setattr(core.audio.render, "_export_one", until_full)
    dialog = make_dialog(*[ExportItem(write_sound(tmp_path / f"{number}.wav", noise(0.1))) for number in range(4)])
    dialog.start()
    done(qtbot, dialog)
    assert dialog.summary.text() == "There is no space left. 2 files were written."
    assert dialog.show_button.isVisible()
    assert dialog.export_button.isEnabled()


def test_that_exporting_can_be_cancelled_and_leaves_whole_files(
    qtbot: QtBot, make_dialog: Callable[..., ExportDialog], tmp_path: Path
) -> None:
    path = write_sound(tmp_path / "a.wav", noise(1.0))
    dialog = make_dialog(*[ExportItem(path)] * 400)
    dialog.start()
    qtbot.waitUntil(lambda: dialog.progress.value() > 0, timeout=10_000)
    assert dialog.close_button.text() == "Cancel"
    qtbot.mouseClick(dialog.close_button, Qt.MouseButton.LeftButton)
    done(qtbot, dialog)
    written = list((tmp_path / "out").iterdir())
    assert 0 < len(written) < 400
    assert {soundfile.info(path).frames for path in written} == {48_000}


def test_that_a_folder_that_cannot_be_written_is_said_in_the_dialog(
    qtbot: QtBot, make_dialog: Callable[..., ExportDialog], tmp_path: Path
) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.1))
    dialog = make_dialog(ExportItem(path))
    dialog.folder.setText(str(path / "below"))
    dialog.start()
    done(qtbot, dialog)
    assert "Nothing can be written" in dialog.summary.text()
    assert dialog.export_button.isEnabled()


@pytest.fixture
def microphone() -> FakeInput:
    return FakeInput(channels=1)


@pytest.fixture
def recording(
    qtbot: QtBot, runner: JobRunner, settings: Settings, errors: ErrorCentre, microphone: FakeInput, tmp_path: Path,
    until_idle: Callable[[], None],
) -> Iterator[RecordDialog]:  # fmt: skip
    settings.caches.folder = str(tmp_path / "cache")
    dialog = RecordDialog(runner=runner, settings=settings, errors=errors, open_stream=microphone)
    qtbot.addWidget(dialog)
    dialog.show()
    until_idle()
    yield dialog
    dialog.close()
    until_idle()


def test_that_a_recording_becomes_an_example(
    qtbot: QtBot, recording: RecordDialog, microphone: FakeInput, until_idle: Callable[[], None]
) -> None:
    recording.start()
    until_idle()
    assert "Recording" in recording.message.text()
    microphone.push(tone(1.5))
    qtbot.waitUntil(lambda: recording.time.text() == "0:01.5")
    qtbot.waitUntil(lambda: recording.level.level_db == pytest.approx(-6.0, abs=2.0))
    with qtbot.waitSignal(recording.recorded, timeout=10_000) as recorded:
        qtbot.mouseClick(recording.search_button, Qt.MouseButton.LeftButton)
    assert soundfile.info(recorded.args[0]).duration == 1.5
    assert microphone.stream is not None
    assert microphone.stream.is_closed
    until_idle()


def test_that_no_microphone_is_said_in_the_dialog(
    recording: RecordDialog, microphone: FakeInput, until_idle: Callable[[], None]
) -> None:
    microphone.is_missing = True
    recording.start()
    until_idle()
    assert "no device" in recording.message.text()
    assert not recording.search_button.isEnabled()
    microphone.is_missing = False
    recording.again_button.click()
    until_idle()
    assert recording.search_button.isEnabled()


def test_that_a_microphone_that_vanishes_leaves_its_clip(
    qtbot: QtBot, recording: RecordDialog, microphone: FakeInput, until_idle: Callable[[], None]
) -> None:
    recording.start()
    until_idle()
    microphone.push(tone(0.5))
    assert microphone.stream is not None
    microphone.stream.vanish()
    qtbot.waitUntil(lambda: "gone" in recording.message.text())
    with qtbot.waitSignal(recording.recorded, timeout=10_000) as recorded:
        recording.keep()
    assert soundfile.info(recorded.args[0]).duration == 0.5
    until_idle()


def test_that_closing_lets_go_of_the_microphone(
    recording: RecordDialog, microphone: FakeInput, until_idle: Callable[[], None]
) -> None:
    recording.start()
    until_idle()
    recording.reject()
    assert microphone.stream is not None
    assert microphone.stream.is_closed
    recording.start()
    until_idle()
    assert microphone.stream.is_closed, "also when the system opens it late"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_that_the_meter_holds_its_peak_and_falls(qtbot: QtBot, qapp, theme: str) -> None:
    meter = LevelMeter()
    qtbot.addWidget(meter)
    meter.show_peak(0.5)
    assert meter.level_db == pytest.approx(-6.02, abs=0.01)
    meter.show_peak(0.0)
    assert meter.level_db == pytest.approx(-7.52, abs=0.01)
    for _ in range(60):
        meter.show_peak(0.0, has_clipped=True)
    assert meter.level_db == FLOOR_DB
    assert meter.has_clipped
    assert "-60 dB" in meter.accessibleDescription()
    apply_theme(qapp, theme)
    meter.resize(200, 12)
    assert not meter.grab().toImage().isNull()
    apply_theme(qapp, "dark")


def test_that_an_old_recording_stays_while_a_remembered_search_refers_to_it(
    qtbot: QtBot,
    runner: JobRunner,
    settings: Settings,
    errors: ErrorCentre,
    until_idle: Callable[[], None],
    tmp_path: Path,
) -> None:
    settings.caches.folder = str(tmp_path / "cache")
    folder = tmp_path / "cache" / "recordings"
    kept, forgotten = folder / "1" / "a.wav", folder / "2" / "b.wav"
    for path in (kept, forgotten):
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            file.truncate(150 << 20)
        os.utime(path, (0, 0))
    dialog = RecordDialog(
        runner=runner,
        settings=settings,
        errors=errors,
        referred=lambda: [kept, tmp_path / "elsewhere.wav"],
        open_stream=FakeInput(),
    )
    qtbot.addWidget(dialog)
    until_idle()
    assert kept.is_file()
    assert not forgotten.exists()
    dialog.reject()
