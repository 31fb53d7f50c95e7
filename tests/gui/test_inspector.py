"""The inspector over a real library: what is known of a sound, why it matched, and what is changed there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.errors import ErrorCentre
from app.jobs import JobRunner
from app.models.row import ResultRow
from app.panels.inspector import InspectorPanel
from app.widgets.fact_list import FactList
from app.widgets.moment_curve import MomentCurve
from app.widgets.plain_text import PlainText
from app.widgets.sound_links import SoundLink
from app.widgets.star_row import StarRow
from app.widgets.tag_row import TagRow
from core.errors import UnusableFileError
from core.library import Focus, Library, MomentScore
from core.search.query import QuerySpec, TextPart
from core.search.result import Hit
from core.types import Span

Idle = Callable[[], None]
MOMENTS = (
    MomentScore(Span(0.0, 10.0), 0.1),
    MomentScore(Span(5.0, 15.0), 0.9),
    MomentScore(Span(10.0, 20.0), 0.7),
)


@pytest.fixture
def panel(small_library: Library, shown_panel: Callable[..., InspectorPanel]) -> InspectorPanel:
    return shown_panel(InspectorPanel, small_library, 300, 900)


@pytest.fixture
def settled(panel: InspectorPanel, runner: JobRunner, qtbot: QtBot) -> Idle:
    return lambda: qtbot.waitUntil(lambda: not panel._rest.isActive() and not runner.is_busy, timeout=60_000)


def row_named(library: Library, name: str) -> ResultRow:
    (file_id,) = (int(one) for one in library.list_files(f"name={name}"))
    row = library.rows([file_id])[file_id]
    return ResultRow(row.id, row.path, None, None, row.name, row.duration_s)


def found(library: Library, spec: QuerySpec) -> tuple[ResultRow, Hit]:
    hit = library.search(spec.build(), limit=5).hits[0]
    return ResultRow(hit.file_id, hit.path, hit.span, hit.relevance, hit.path.name, hit.duration_s), hit


def test_that_everything_known_of_a_sound_is_shown(
    panel: InspectorPanel, small_library: Library, settled: Idle
) -> None:
    row = row_named(small_library, "DOORKnck")
    small_library.add_tag([row.file_id], "wooden")
    collection = small_library.create_collection("Castle")
    small_library.add_to_collection(collection, [row.file_id])
    panel.show_row(row)
    settled()
    facts = dict(fact for fact in panel.facts.facts if fact[0])
    assert panel.name.text == row.name
    assert facts["Category"] == "DOORKnck · Doors · Knock"
    assert facts["Collections"] == "Castle"
    assert facts["Rate"] == "44,100 Hz"
    assert facts["Loudness"].endswith("LUFS")
    assert panel.tags.tags == ("wooden",)
    assert not panel._sections["why"].isVisible(), "nothing was asked"


def test_that_why_it_matched_is_said_part_by_part(panel: InspectorPanel, small_library: Library, settled: Idle) -> None:
    spec = QuerySpec("dog barking", negatives=(TextPart("rain"),))
    row, hit = found(small_library, spec)
    panel.show_row(row, spec, hit)
    settled()
    assert panel._sections["why"].isVisible()
    lines = panel.why.lines
    assert lines[0].startswith("Sounds like: dog barking, ")
    assert any(line.startswith("Sounds like, but should not: rain, ") for line in lines)
    assert any("in the name" in line for line in lines)
    assert panel.curve.moments == small_library.moments(row.file_id, spec.build())


def test_that_the_place_of_the_sound_is_marked_and_told_once_it_is_known(
    panel: InspectorPanel,
    small_library: Library,
    settled: Idle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = QuerySpec("dog barking")
    row, hit = found(small_library, spec)
    focus = Focus(Span(2.0, 12.0), 6.5, 7.0)
    asked: list[int] = []
    monkeypatch.setattr(small_library, "focus", lambda file_id, query: asked.append(file_id) or focus)
    told: list[object] = []
    panel.focused.connect(lambda *what: told.append(what))
    panel.show_row(replace(row, span=None), spec, hit)
    settled()
    assert (asked, panel.curve.peak_s) == ([], None), "all of a short sound is no moment of it"
    panel.show_row(replace(row, span=Span(0.0, 10.0)), spec, hit)
    settled()
    assert told == [(row.file_id, focus)]
    assert panel.curve.peak_s == 7.0

    def gone(file_id: int, query: object) -> Focus:
        raise UnusableFileError("The file is not there.")

    monkeypatch.setattr(small_library, "focus", gone)
    panel.show_row(replace(row, span=Span(0.0, 10.0)), spec, hit)
    settled()
    assert len(told) == 1, "its windows must do"
    assert panel.curve.peak_s is None


def test_that_similar_sounds_and_duplicates_can_be_gone_to(
    small_library: Library,
    shown_panel: Callable[..., InspectorPanel],
    runner: JobRunner,
    small_sounds: Path,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    shutil.copy2(small_sounds / "animals/Dog Excited Barking.flac", folder / "The same dog & again.flac")
    for _ in small_library.index([folder], jobs=1):
        pass
    panel = shown_panel(InspectorPanel, small_library, 300, 900)
    panel.show_row(row_named(small_library, "Dog Excited"))
    qtbot.waitUntil(lambda: not panel._rest.isActive() and not runner.is_busy, timeout=60_000)
    (twin,) = panel.duplicates.buttons()
    assert twin.whole == "The same dog & again.flac"
    assert [button.whole for button in panel.similar.buttons()]
    with qtbot.waitSignal(panel.similar_activated) as caught:
        twin.click()
    assert caught.args[0] == folder / "The same dog & again.flac"
    assert small_library.rows([caught.args[1]])[caught.args[1]].path == caught.args[0]
    with qtbot.waitSignal(panel.more_like_this) as caught:
        panel.more_button.click()
    assert caught.args[1] is None


def test_that_marks_are_kept_and_told(
    panel: InspectorPanel, small_library: Library, settled: Idle, qtbot: QtBot
) -> None:
    row = row_named(small_library, "Rain Light")
    panel.show_row(row)
    settled()
    told: list[list[int]] = []
    panel.edited.connect(told.append)
    panel.rating.button(4).click()
    settled()
    panel.favourite.click()
    settled()
    panel.tags.line.setText("  soft  rain ")
    QTest.keyClick(panel.tags.line, Qt.Key.Key_Return)
    settled()
    kept = small_library.rows([row.file_id])[row.file_id]
    assert (kept.rating, kept.is_favourite, kept.tags) == (4, True, ("soft rain",))
    assert (panel.rating.rating, panel.favourite.isChecked(), panel.tags.tags) == (4, True, ("soft rain",))
    assert told == [[row.file_id]] * 3
    panel.rating.button(4).click()
    settled()
    panel.tags.removed.emit("soft rain")
    settled()
    kept = small_library.rows([row.file_id])[row.file_id]
    assert (kept.rating, kept.tags) == (0, ())


def test_that_a_caption_is_edited_and_the_original_restored(
    panel: InspectorPanel, small_library: Library, settled: Idle
) -> None:
    row = row_named(small_library, "Tree Frog")
    panel.show_row(row)
    settled()
    panel.edit_caption()
    panel.caption.edit.setPlainText("A tree frog croaks")
    QTest.keyClick(panel.caption.edit, Qt.Key.Key_Return)
    settled()
    assert panel.caption.sentence.text == "A tree frog croaks"
    caption = small_library.rows([row.file_id])[row.file_id].caption
    assert caption is not None
    assert caption.origin == "user"
    panel.caption.copy_button.click()
    assert QGuiApplication.clipboard().text() == "A tree frog croaks"
    panel.caption.restore_button.click()
    settled()
    assert panel.caption.sentence.text == "No caption yet"


def test_that_what_is_being_written_is_not_lost_to_a_reload(
    panel: InspectorPanel, small_library: Library, settled: Idle
) -> None:
    panel.show_row(row_named(small_library, "Tree Frog"))
    settled()
    panel.edit_caption()
    panel.caption.edit.setPlainText("half a sen")
    panel.reload()
    settled()
    assert panel.caption.is_editing
    assert panel.caption.edit.toPlainText() == "half a sen"


def test_that_what_comes_late_belongs_to_no_other_sound(
    panel: InspectorPanel, small_library: Library, settled: Idle
) -> None:
    names = ["Rain Light", "Tree Frog", "Motorcycle", "Door Knock Urgent"]
    for name in names:
        panel.show_row(row_named(small_library, name))
    settled()
    assert panel.name.text == "Door Knock Urgent.wav"
    assert panel.row is not None
    assert dict(panel.facts.facts)["Format"] == "WAV"


def test_that_nothing_chosen_is_said(panel: InspectorPanel, small_library: Library, settled: Idle) -> None:
    assert panel._nothing.isVisible()
    panel.show_row(row_named(small_library, "Tree Frog"))
    settled()
    assert not panel._nothing.isVisible()
    panel.show_row(None)
    assert panel._nothing.isVisible()
    assert not panel._scroll.isVisible()


def test_that_a_file_that_is_gone_is_said_here_and_in_no_dialog(
    panel: InspectorPanel, small_library: Library, settled: Idle, errors: ErrorCentre
) -> None:
    told: list[object] = []
    errors.known_raised.connect(told.append)
    row = row_named(small_library, "Tree Frog")
    panel.show_row(ResultRow(99_999, row.path, None, None, "gone.wav", None))
    settled()
    assert "no longer in the library" in panel.problem.text()
    assert told == []


def test_that_no_label_reads_markup(panel: InspectorPanel, small_library: Library, settled: Idle) -> None:
    row = row_named(small_library, "Tree Frog")
    small_library.add_tag([row.file_id], "<b>bold</b>")
    panel.show_row(row)
    settled()
    formats = {label.textFormat() for label in panel.findChildren(QLabel) if label.text()}
    assert formats == {Qt.TextFormat.PlainText}
    assert panel.tags.tags == ("<b>bold</b>",)


def test_that_long_names_do_not_make_it_wider(panel: InspectorPanel, small_library: Library, settled: Idle) -> None:
    panel.show_row(row_named(small_library, "Tree Frog"))
    settled()
    panel.name.set_text("x" * 300)
    panel.facts.show_facts([("Description", "y" * 500)])
    panel.tags.show_tags(["a tag of a length that nobody would type " * 3, "z" * 90])
    panel.similar.show_links([SoundLink(Path("/sounds") / ("w" * 200), 1, "same bytes")], otherwise="")
    panel.resize(280, 600)
    QTest.qWait(1)
    content = panel._scroll.widget()
    assert content.width() <= panel._scroll.viewport().width()
    assert panel.name.heightForWidth(200) > 5 * panel.name.heightForWidth(100_000)


# Its parts.


def test_that_a_click_in_the_curve_chooses_the_best_window_there(qtbot: QtBot) -> None:
    curve = MomentCurve()
    qtbot.addWidget(curve)
    curve.resize(208, 56)
    curve.show_moments(MOMENTS, 20.0)
    curve.show()
    with qtbot.waitSignal(curve.chosen) as caught:
        QTest.mouseClick(curve, Qt.MouseButton.LeftButton, pos=QPoint(4 + 120, 20))
    assert caught.args == [Span(5.0, 15.0)]
    with qtbot.waitSignal(curve.chosen) as caught:
        QTest.mouseClick(curve, Qt.MouseButton.LeftButton, pos=QPoint(4 + 180, 20))
    assert caught.args == [Span(10.0, 20.0)]
    assert "0:05.0–0:15, 0:10–0:20" in curve.accessibleName()


def test_that_the_curve_is_used_by_keys(qtbot: QtBot) -> None:
    curve = MomentCurve()
    qtbot.addWidget(curve)
    curve.show_moments(MOMENTS, 20.0)
    curve.show()
    QTest.keyClick(curve, Qt.Key.Key_Down)
    QTest.keyClick(curve, Qt.Key.Key_Down)
    with qtbot.waitSignal(curve.chosen) as caught:
        QTest.keyClick(curve, Qt.Key.Key_Return)
    assert caught.args == [Span(5.0, 15.0)]
    curve.show_moments((), 0.0)
    QTest.mouseClick(curve, Qt.MouseButton.LeftButton)
    assert not curve.grab().isNull()


def test_that_pressing_the_present_rating_takes_it_away(qtbot: QtBot) -> None:
    stars = StarRow()
    qtbot.addWidget(stars)
    told: list[int] = []
    stars.rated.connect(told.append)
    stars.button(3).click()
    stars.set_rating(3)
    stars.button(3).click()
    assert told == [3, 0]
    assert stars.accessibleName() == "Rating: 3 of 5"


def test_that_tags_are_added_once(qtbot: QtBot) -> None:
    tags = TagRow()
    qtbot.addWidget(tags)
    tags.show_tags(["rain"])
    told: list[str] = []
    tags.added.connect(told.append)
    for text in ("rain", "  ", "tin roof"):
        tags.line.setText(text)
        QTest.keyClick(tags.line, Qt.Key.Key_Return)
    assert told == ["tin roof"]


def test_that_facts_without_a_value_are_left_out(qtbot: QtBot) -> None:
    facts = FactList()
    qtbot.addWidget(facts)
    facts.show_facts([("Rate", ""), ("", "bext"), ("Description", "<b>x</b>")])
    assert facts.facts == (("", "bext"), ("Description", "<b>x</b>"))
    assert [text.text for text in facts.findChildren(PlainText)] == ["Description", "<b>x</b>"]


def test_that_the_place_stays_marked_when_the_moments_come_after_it(panel: InspectorPanel) -> None:
    panel._row, panel._spec = None, None
    panel._peak_s = 7.0
    panel._on_moments(())
    assert panel.curve.peak_s == 7.0
