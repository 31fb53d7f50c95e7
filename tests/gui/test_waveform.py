"""The large view: what it draws, and what mouse, wheel and keys do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from sound import noise, tone, write_sound

from app.jobs import JobRunner
from app.theme import apply_theme, tokens
from app.widgets.ruler import clock_marks, exact_clock, tenth_clock
from app.widgets.sound_view import RULER_PX, SoundView
from app.widgets.spectrogram import SpectrogramSource, frequency_marks
from app.widgets.time_axis import TimeAxis
from app.widgets.waveform import WaveformSource
from core.audio.cache import CacheFolder
from core.audio.peaks import PeakMeter, Peaks
from core.types import FloatArray, Span

WIDTH, HEIGHT = 800, 140


class Stage:
    """A view with everything it needs."""

    def __init__(self, runner: JobRunner, folder: Path) -> None:
        self.axis = TimeAxis()
        self.waveform = WaveformSource(runner, CacheFolder(folder, 1 << 20))
        self.spectrogram = SpectrogramSource(runner)
        self.view = SoundView(self.waveform, self.spectrogram, self.axis)
        self.view.resize(WIDTH, HEIGHT)

    def open(self, path: Path, duration_s: float, peaks: Peaks | None = None) -> None:
        self.axis.reset(duration_s)
        self.waveform.open(path, peaks)
        self.spectrogram.open(path)

    def image(self) -> QImage:
        return self.view.grab().toImage()


@pytest.fixture
def stage(qtbot: QtBot, runner: JobRunner, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(runner, tmp_path / "cache")
    qtbot.addWidget(stage.view)
    stage.view.show()
    yield stage
    stage.waveform.close()
    stage.spectrogram.close()


@pytest.fixture
def settle(qtbot: QtBot, runner: JobRunner, stage: Stage) -> Callable[[], None]:
    """Have all timers run out and all background work done."""

    def wait() -> None:
        def is_quiet() -> bool:
            timers = (stage.waveform._begin, stage.waveform._read, stage.spectrogram._timer)
            return not runner.is_busy and not any(timer.isActive() for timer in timers)

        qtbot.waitUntil(is_quiet, timeout=20_000)

    return wait


def drawn(image: QImage, colour: str) -> np.ndarray:
    """Which pixels (h, w) have (nearly) a colour."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    wanted = QColor(colour)
    target = np.array([wanted.blue(), wanted.green(), wanted.red()])
    return (np.abs(pixels[:, : image.width(), :3].astype(int) - target).max(axis=2) < 12).astype(bool)


def overview(sound: FloatArray) -> Peaks:
    meter = PeakMeter(48_000, sound.shape[1])
    meter.add(sound)
    return meter.result()


def test_that_the_outline_stands_where_the_sound_is(stage: Stage, settle: Callable[[], None], tmp_path: Path) -> None:
    sound = np.zeros((96_000, 1), dtype=np.float32)
    sound[48_000:72_000] = noise(0.5, seed=2) * 3
    stage.open(write_sound(tmp_path / "a.wav", sound), 2.0)
    settle()
    heights = drawn(stage.image(), tokens().wave)[RULER_PX:].sum(axis=0)
    assert heights[410:590].min() > 20
    assert heights[:390].max() <= 2
    assert heights[610:].max() <= 2


def test_that_two_channels_have_two_lanes(stage: Stage, settle: Callable[[], None], tmp_path: Path) -> None:
    sound = np.concatenate([noise(1.0) * 3, np.zeros((48_000, 1), dtype=np.float32)], axis=1)
    stage.open(write_sound(tmp_path / "a.wav", sound), 1.0)
    settle()
    rows = drawn(stage.image(), tokens().wave)[RULER_PX:].sum(axis=1)
    assert rows[:60].sum() > 10 * rows[62:].sum()


def test_that_the_overview_is_drawn_before_anything_was_read(stage: Stage, tmp_path: Path) -> None:
    sound = noise(2.0) * 3
    stage.open(write_sound(tmp_path / "a.wav", sound), 2.0, overview(sound))
    assert drawn(stage.image(), tokens().wave)[RULER_PX:, 1:-1].any(axis=0).all()


def test_that_matched_moments_are_amber_and_bracketed(stage: Stage, settle: Callable[[], None], tmp_path: Path) -> None:
    stage.open(write_sound(tmp_path / "a.wav", noise(2.0) * 3), 2.0)
    stage.view.set_moments([Span(0.5, 1.0)])
    settle()
    image = stage.image()
    amber = drawn(image, tokens().amber)
    columns = np.flatnonzero(amber[RULER_PX + 20 :].any(axis=0))
    assert columns.min() == pytest.approx(200, abs=2)
    assert columns.max() == pytest.approx(400, abs=2)
    assert amber[RULER_PX + 1, 200:399].all(), "a bar above it: colour is not all"


def test_that_zooming_in_reads_what_is_finer(stage: Stage, settle: Callable[[], None], tmp_path: Path) -> None:
    sound = tone(2.0, frequency_hz=100.0)
    stage.open(write_sound(tmp_path / "a.wav", sound), 2.0)
    settle()
    stage.axis.show(Span(1.0, 1.01))
    settle()
    columns = stage.waveform.columns(stage.axis.visible, WIDTH)
    assert columns is not None
    expected = np.interp(np.linspace(48_000, 48_480, WIDTH, endpoint=False), np.arange(96_000), sound[:, 0])
    np.testing.assert_allclose(columns[0][0], expected, atol=0.01)
    wave = ~drawn(stage.image(), tokens().surface0)[RULER_PX:, 1:-1]
    assert wave.any(axis=0).all(), "a single line, without gaps"
    assert wave.sum(axis=0).max() < 20


def test_that_the_wheel_zooms_around_the_pointer(stage: Stage, tmp_path: Path) -> None:
    stage.axis.reset(10.0)
    before_s = stage.axis.time_s(600, WIDTH)
    wheel(stage.view, QPoint(600, 80), 120)
    assert stage.axis.visible.duration_s == pytest.approx(8.0)
    assert stage.axis.time_s(600, WIDTH) == pytest.approx(before_s)
    wheel(stage.view, QPoint(600, 80), -1_200)
    assert stage.axis.visible == Span(0.0, 10.0)
    for _ in range(200):
        wheel(stage.view, QPoint(300, 80), 120)
    assert stage.axis.visible.duration_s == pytest.approx(0.001)
    assert stage.axis.time_s(300, WIDTH) == pytest.approx(10 * 300 / WIDTH)


def test_that_shift_and_wheel_move_along(stage: Stage) -> None:
    stage.axis.reset(10.0)
    stage.axis.show(Span(4.0, 5.0))
    wheel(stage.view, QPoint(100, 80), -120, Qt.KeyboardModifier.ShiftModifier)
    assert stage.axis.visible.start_s == pytest.approx(4.1)


def wheel(view: SoundView, at: QPoint, delta: int, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    event = QWheelEvent(
        QPointF(at), QPointF(view.mapToGlobal(at)), QPoint(), QPoint(0, delta),
        Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def drag(qtbot: QtBot, view: SoundView, start: QPoint, end: QPoint, button=Qt.MouseButton.LeftButton) -> None:
    qtbot.mousePress(view, button, pos=start)
    qtbot.mouseMove(view, (start + end) / 2)
    qtbot.mouseMove(view, end)
    qtbot.mouseRelease(view, button, pos=end)


def test_that_a_click_seeks_to_its_moment(qtbot: QtBot, stage: Stage) -> None:
    stage.axis.reset(8.0)
    with qtbot.waitSignal(stage.view.sought) as sought:
        qtbot.mouseClick(stage.view, Qt.MouseButton.LeftButton, pos=QPoint(250, 80))
    assert sought.args == [pytest.approx(2.5)]
    assert stage.view.region is None


def test_that_a_drag_chooses_a_region_in_either_direction(qtbot: QtBot, stage: Stage) -> None:
    stage.axis.reset(8.0)
    told: list[Span | None] = []
    stage.view.region_changed.connect(told.append)
    drag(qtbot, stage.view, QPoint(200, 80), QPoint(400, 90))
    drag(qtbot, stage.view, QPoint(700, 80), QPoint(500, 80))
    assert told == [Span(2.0, 4.0), Span(5.0, 7.0)]


def test_that_the_edges_of_a_region_can_be_drawn(qtbot: QtBot, stage: Stage) -> None:
    stage.axis.reset(8.0)
    stage.view.set_region(Span(2.0, 4.0))
    drag(qtbot, stage.view, QPoint(402, 60), QPoint(600, 60))
    assert stage.view.region == Span(2.0, 6.0)
    drag(qtbot, stage.view, QPoint(199, 60), QPoint(300, 60))
    assert stage.view.region == Span(3.0, 6.0)
    drag(qtbot, stage.view, QPoint(300, 60), QPoint(700, 60))
    assert stage.view.region == Span(6.0, 7.0), "drawn past the other edge"


def test_that_the_handle_drags_the_region_out_and_does_not_change_it(qtbot: QtBot, stage: Stage) -> None:
    stage.axis.reset(8.0)
    for region in (Span(2.0, 4.0), Span(2.0, 2.05), Span(7.96, 8.0)):
        stage.view.set_region(region)
        handle = stage.view._handle()
        assert handle is not None
        assert stage.view.rect().contains(handle.toAlignedRect())
        with qtbot.waitSignal(stage.view.region_dragged_out):
            drag(qtbot, stage.view, handle.center().toPoint(), QPoint(100, -40))
        assert stage.view.region == region


def test_that_an_edge_that_passes_the_other_reaches_to_the_sounds_end(qtbot: QtBot, stage: Stage) -> None:
    stage.axis.reset(8.0)
    stage.view.choose_edge(start_s=2.0)
    assert stage.view.region == Span(2.0, 8.0)
    stage.view.choose_edge(end_s=5.0)
    assert stage.view.region == Span(2.0, 5.0)
    stage.view.choose_edge(start_s=6.0)
    assert stage.view.region == Span(6.0, 8.0)
    stage.view.choose_edge(end_s=1.0)
    assert stage.view.region == Span(0.0, 1.0)
    stage.view.choose_edge(end_s=0.0)
    assert stage.view.region == Span(0.0, 1.0)


def test_that_a_double_click_beside_a_region_clears_it(qtbot: QtBot, stage: Stage) -> None:
    stage.axis.reset(8.0)
    stage.view.set_region(Span(2.0, 4.0))
    qtbot.mouseDClick(stage.view, Qt.MouseButton.LeftButton, pos=QPoint(300, 80))
    assert stage.view.region == Span(2.0, 4.0)
    with qtbot.waitSignal(stage.view.region_changed):
        qtbot.mouseDClick(stage.view, Qt.MouseButton.LeftButton, pos=QPoint(600, 80))
    assert stage.view.region is None


def test_that_the_page_turns_when_the_playhead_leaves_it(stage: Stage) -> None:
    stage.axis.reset(10.0)
    stage.axis.show(Span(2.0, 4.0))
    stage.view.set_playhead(3.9, follow=True)
    assert stage.axis.visible == Span(2.0, 4.0)
    stage.view.set_playhead(4.02, follow=True)
    assert stage.axis.visible.start_s == pytest.approx(3.92)
    stage.axis.show(Span(0.0, 1.0))
    stage.view.set_playhead(4.1, follow=True)
    assert stage.axis.visible == Span(0.0, 1.0), "who looks elsewhere is left there"


def test_that_the_spectrogram_shares_the_axis(stage: Stage, settle: Callable[[], None], tmp_path: Path) -> None:
    sound = np.concatenate([np.zeros((48_000, 1), dtype=np.float32), noise(1.0) * 3])
    stage.open(write_sound(tmp_path / "a.wav", sound), 2.0)
    stage.view.set_spectrogram(True)
    settle()
    ground = drawn(stage.image(), tokens().surface0)[RULER_PX + 30 : -30]
    assert ground[:, 100:380].mean() > 0.9
    assert ground[:, 420:].mean() < 0.2
    stage.axis.show(Span(0.0, 0.5))
    settle()
    assert drawn(stage.image(), tokens().surface0)[RULER_PX + 30 : -30, 100:].mean() > 0.9


def test_that_a_spectrogram_of_an_unreadable_file_says_why(
    qtbot: QtBot, stage: Stage, settle: Callable[[], None], tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    stage.open(tmp_path / "a.wav", 2.0)
    stage.view.set_spectrogram(True)
    with qtbot.waitSignals([stage.waveform.failed, stage.spectrogram.failed], timeout=10_000):
        stage.image()
    settle()


def test_that_going_through_sounds_quickly_reads_only_the_last(
    stage: Stage, settle: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.widgets import waveform

    read: list[str] = []
    original = waveform.measure_detail

    def counting(path: Path, **how: object):
        read.append(path.name)
        return original(path, **how)

    monkeypatch.setattr(waveform, "measure_detail", counting)
    for number in range(20):
        stage.open(write_sound(tmp_path / f"{number}.wav", noise(0.2)), 0.2)
    settle()
    assert read == ["19.wav"]


def test_that_ten_hours_are_drawn_from_their_outline_at_once(stage: Stage, tmp_path: Path) -> None:
    low = np.full(256, -60, dtype=np.int8)
    stage.open(tmp_path / "missing.wav", 36_000.0, Peaks(low, -low, 36_000.0))
    for zoom in (1.0, 40.0, 1_000.0):
        stage.axis.zoom(zoom, 18_000.0)
        assert drawn(stage.image(), tokens().wave)[RULER_PX:, 1:-1].any(axis=0).all()
    stage.waveform.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_that_both_themes_draw_everything(
    qapp: QApplication, stage: Stage, settle: Callable[[], None], tmp_path: Path, theme: str
) -> None:
    apply_theme(qapp, theme)
    try:
        stage.open(write_sound(tmp_path / "a.wav", noise(1.0)), 1.0)
        stage.view.set_region(Span(0.25, 0.5))
        stage.view.set_playhead(0.75)
        settle()
        image = stage.image()
        assert drawn(image, tokens().accent)[RULER_PX:, 199:201].all(axis=0).any()
        assert drawn(image, tokens().text)[RULER_PX + 5 :, 600].mean() > 0.9
    finally:
        apply_theme(qapp, "dark")


def test_that_marks_have_room_and_read_as_times() -> None:
    for visible in (Span(0, 36_000), Span(3, 3.02), Span(59, 61), Span(0, 0.7)):
        marks = clock_marks(visible, 800, 70)
        assert 2 <= len(marks) <= 11
        assert len({text for _, text in marks}) == len(marks)
    assert [text for _, text in clock_marks(Span(59.5, 60.5), 800, 70)] == [
        "0:59.6",
        "0:59.8",
        "1:00.0",
        "1:00.2",
        "1:00.4",
    ]
    assert exact_clock(3661.2345) == "1:01:01.234"
    assert tenth_clock(3.29) == "0:03.2"
    assert clock_marks(Span(0, 0), 800, 70) == []


def test_that_frequencies_are_marked_within_the_picture() -> None:
    assert [text for _, text in frequency_marks(24_000)] == ["100 Hz", "1 kHz", "10 kHz"]
    assert [text for _, text in frequency_marks(96_000)][-1] == "40 kHz"
    assert all(0 < share < 1 for share, _ in frequency_marks(4_000))
