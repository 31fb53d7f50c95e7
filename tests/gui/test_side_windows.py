"""The indexing panel, the log window, the status line and the words of numbers."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester

from app import phrase
from app.jobs.indexing import IndexController, Phase
from app.jobs.model import ModelLoader
from app.panels.indexing import IndexingPanel, SkippedModel
from app.panels.log import LogWindow
from app.panels.sidebar_content import LibraryContent, work_note
from app.panels.status import StatusLine
from core.catalogue.browse import RootRow
from core.catalogue.models import FileState
from core.jobs import Progress
from core.library import SkippedItem


class Working(IndexController):
    """A controller in whatever state a test wants."""

    shown_phase = Phase.IDLE

    @property
    def phase(self) -> Phase:
        return self.shown_phase

    def be(self, phase: Phase, *stages: Progress) -> None:
        self.shown_phase = phase
        self.stages = {progress.stage: progress for progress in stages}
        self.changed.emit()


@pytest.fixture
def controller(small_library, runner, settings, errors):
    made = Working(library=small_library, runner=runner, settings=settings, errors=errors)
    yield made
    made.close()


@pytest.fixture
def status(controller, small_library, runner, errors, shortcuts, qtbot) -> StatusLine:
    model = ModelLoader(library=small_library, runner=runner, errors=errors)
    made = StatusLine(controller=controller, model=model, errors=errors, shortcuts=shortcuts)
    made.loader = model
    qtbot.addWidget(made)
    made.show()
    return made


INDEXING = Progress("index", 300, 1_200, rate_per_s=312.4, audio_rate=480.0, left_s=250.0)


@pytest.mark.parametrize(
    ("phase", "stage", "note"),
    [
        (Phase.IDLE, None, ""),
        (Phase.SCANNING, Progress("scan", 1_204), "Scanning, 1,204 found"),
        (Phase.INDEXING, INDEXING, "Indexing 312/s, 4 min left"),
        (Phase.INDEXING, Progress("index", 1, 1_200), "Indexing, 1 of 1,200"),
        (Phase.CAPTIONING, Progress("caption", 1, 10, rate_per_s=0.5, left_s=18.0), "Captioning 30/min, 20 s left"),
        (Phase.STOPPING, None, "Stopping"),
    ],
)
def test_that_the_work_is_told_in_one_line(controller, phase, stage, note):
    controller.be(phase, *([stage] if stage else []))
    assert work_note(controller) == note


def test_that_a_pause_is_told(controller):
    controller.pause()
    controller.be(Phase.INDEXING, INDEXING)
    assert work_note(controller) == "Paused, 900 to go"


def test_that_the_status_line_shows_the_work_and_offers_a_pause(status, controller, qtbot):
    assert not status.bar.isVisible()
    assert not status.pause_button.isVisible()
    controller.be(Phase.INDEXING, INDEXING)
    assert (status.bar.value(), status.bar.maximum()) == (300, 1_200)
    qtbot.mouseClick(status.pause_button, Qt.MouseButton.LeftButton)
    assert controller.is_paused
    assert status.pause_button.accessibleName() == "Resume indexing"
    controller.be(Phase.IDLE)
    assert not status.work_button.isVisible()


def test_that_the_status_line_says_what_the_library_holds(status):
    counts = {FileState.READY: 18_000, FileState.SCANNED: 204, FileState.SKIPPED: 2}
    status.show_content(LibraryContent(roots=(RootRow(1, Path("/a"), False, counts, 60.0, 10),)))
    assert "18,204 sounds" in status.held.text()
    assert "2 skipped" in status.skipped_button.text()
    status.show_content(LibraryContent())
    assert not status.skipped_button.isVisible()


def test_that_the_status_line_says_what_becomes_of_the_model(status, until_idle, small_library):
    model_id = small_library.card.id
    assert status.model_button.text() == f"{model_id} · not loaded yet"
    status.loader.load()
    assert status.model_button.text() == f"{model_id} · loading, names can be searched"
    until_idle()
    assert status.model_button.text() == f"CPU · {model_id}"


def test_that_a_notice_is_shown_for_a_while(status, errors, qtbot):
    errors.notice("One file <b>was</b> skipped.")
    qtbot.waitUntil(lambda: status.notice.whole_text == "One file <b>was</b> skipped.")
    assert status.notice.textFormat() == Qt.TextFormat.PlainText
    status._forget.timeout.emit()
    assert status.notice.whole_text == ""


def test_that_a_long_notice_does_not_widen_the_window(status, errors, qtbot):
    before = status.minimumSizeHint().width()
    errors.notice("word " * 400)
    qtbot.waitUntil(lambda: bool(status.notice.whole_text))
    assert status.minimumSizeHint().width() == before


SKIPPED = (
    SkippedItem(Path("/sounds/broken.wav"), "The file is damaged."),
    SkippedItem(Path("/sounds/odd\udcff.wav"), "The file is empty."),
)


@pytest.fixture
def panel(controller, small_library, runner, qtbot) -> IndexingPanel:
    made = IndexingPanel(library=small_library, runner=runner, controller=controller)
    qtbot.addWidget(made)
    return made


def test_that_skipped_files_are_listed_with_reasons(panel, small_library, monkeypatch, until_idle):
    monkeypatch.setattr(small_library, "skipped", lambda: list(SKIPPED))
    panel.show()
    until_idle()
    assert panel.skipped_heading.text() == "Skipped: 2"
    texts = [panel.skipped.index(row, column).data() for row in range(2) for column in range(3)]
    assert texts == ["broken.wav", "The file is damaged.", "/sounds", "odd\ufffd.wav", "The file is empty.", "/sounds"]
    assert panel.as_text().splitlines()[0] == "/sounds/broken.wav\tThe file is damaged."


def test_that_nothing_skipped_is_said_without_an_empty_table(panel, until_idle):
    panel.show()
    until_idle()
    assert panel.skipped_heading.text() == "Nothing was skipped"
    assert not panel.table.isVisible()


def test_that_the_skipped_model_keeps_the_rules(qapp):
    model = SkippedModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    model.show(SKIPPED)
    model.show(SKIPPED[:1])
    assert model.rowCount() == 1
    resets: list[bool] = []
    model.modelReset.connect(lambda: resets.append(True))
    model.show(SKIPPED[:1])
    assert resets == []


def test_that_stages_show_pace_and_time_left(panel, controller):
    controller.be(Phase.INDEXING, Progress("scan", 1_200, 1_200), INDEXING)
    bar, note = panel._stages["index"]
    assert (bar.value(), bar.maximum()) == (300, 1_200)
    assert note.text() == "300 of 1,200, 312/s, 480 × real time, 4 min left"
    assert panel._stages["scan"][1].text() == "1,200 of 1,200"
    assert panel._stages["caption"][1].text() == "–"
    assert panel.pause_button.isEnabled()


def test_that_an_idle_panel_says_what_waits(panel, controller):
    assert panel.headline.text() == "Everything is indexed."
    counts = {FileState.READY: 1, FileState.SCANNED: 7}
    panel.show_content(LibraryContent(roots=(RootRow(1, Path("/a"), False, counts, 60.0, 10),)))
    assert panel.headline.text() == "Stopped; 7 wait to be indexed."
    assert not panel.pause_button.isEnabled()
    assert not panel.stop_button.isEnabled()


def test_that_the_log_window_follows_and_filters(errors, qtbot, qapp, expected_log):
    expected_log.append("something odd")
    logger = logging.getLogger("app.test")
    logger.addHandler(errors.recent)
    logger.setLevel(logging.INFO)
    try:
        window = LogWindow(errors=errors)
        qtbot.addWidget(window)
        logger.info("first line")
        window.show()
        assert "first line" in window.text.toPlainText()
        logger.warning("something odd")
        window.look()
        assert "something odd" in window.text.toPlainText()
        window.only_warnings.setChecked(True)
        assert "first line" not in window.text.toPlainText()
        assert "something odd" in window.text.toPlainText()
        window.copy_button.click()
        assert "something odd" in qapp.clipboard().text()
    finally:
        logger.removeHandler(errors.recent)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "a few seconds left"), (12, "10 s left"), (70, "1 min left"), (250, "4 min left"), (7_200, "2.0 h left")],
)
def test_that_time_left_is_no_more_exact_than_it_is_known(seconds, text):
    assert phrase.time_left(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3_600, "1:00:00"), (-1, "0:00")]
)
def test_that_lengths_are_written_as_minutes_and_seconds(value, text):
    assert phrase.clock(value) == text


def test_that_numbers_are_written_for_people():
    assert phrase.sounds(1) == "1 sound"
    assert phrase.sounds(18_204) == "18,204 sounds"
    assert phrase.size(1_400_000_000) == "1.4 GB"
    assert phrase.size(812) == "812 B"
    assert phrase.pace(0.5) == "30/min"
    assert phrase.hours(600) == "10 min"
    assert phrase.hours(43_200) == "12 h"
