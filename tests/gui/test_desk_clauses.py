"""What goes on between the panels of the window, on a real library."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QDropEvent

from app.drag import RegionMimeData
from app.jobs.model import ModelState
from app.models.folders import NodeKind
from core.captioning.guess import CaptionGuess
from core.errors import UnusableFileError
from core.search.query import ClipPart, QuerySpec
from core.types import Span

PATIENCE_MS = 60_000


@pytest.fixture
def desk(window, windows, qtbot):
    """The desk with all eight sounds listed and the model loaded."""
    desk = window.desk
    desk.library_panel.all_selected.emit()
    qtbot.waitUntil(lambda: desk.model.state is ModelState.READY, timeout=PATIENCE_MS)
    windows.idle(window)
    desk.results.focus()
    windows.idle(window)
    return desk


def ask(desk, windows, qtbot, spec: QuerySpec):
    """Ask, and wait for what is found by sound."""
    answers = []
    desk.search.answered.connect(answers.append)
    desk.search_panel.set_spec(spec)
    qtbot.waitUntil(lambda: any(one.spec == spec and not one.is_names_only for one in answers), timeout=PATIENCE_MS)
    windows.idle(desk.window())
    desk.search.answered.disconnect(answers.append)
    return answers[-1]


def test_that_what_is_done_by_key_is_seen_in_the_inspector(desk, window, windows):
    desk.commands.rate(4)
    desk.commands.toggle_favourite()
    windows.idle(window)
    assert desk.inspector.rating.rating == 4
    assert desk.inspector.favourite.isChecked()
    desk.file_actions.add_tag(desk.results.selected_ids(), "creaky")
    windows.idle(window)
    assert desk.inspector.tags.tags == ("creaky",)


def test_that_a_caption_written_in_the_background_is_seen_in_the_inspector(desk, window, windows):
    window.library.edit_caption(desk.inspector.row.file_id, "A telephone rings once")
    desk.controller.grew.emit()
    windows.idle(window)
    assert desk.inspector.caption.sentence.text == "A telephone rings once"


def test_that_what_is_being_written_goes_to_the_sound_it_was_written_for(desk, window, windows):
    first = desk.inspector.row.file_id
    desk.inspector.edit_caption()
    desk.inspector.caption.edit.setPlainText("Mine alone")
    desk.results.step(1)
    windows.idle(window)
    second = desk.inspector.row.file_id
    assert first != second
    assert not desk.inspector.caption.is_editing
    rows = window.library.rows([first, second])
    assert rows[first].caption.text == "Mine alone"
    assert rows[second].caption is None


def test_that_weak_matches_are_shown_when_they_are_wanted_and_hidden_again(desk, window, windows, qtbot):
    answer = ask(desk, windows, qtbot, QuerySpec(text="a steam locomotive whistles in a tunnel"))
    assert answer.result.nothing_matches
    assert len(desk.results.all_ids()) == len(answer.result.closest) < 8
    assert desk.results.banner.title == "Nothing here matches well."
    (tail,) = [button for button in desk.results.banner.offers() if button.text() == "Show weak matches anyway"]
    tail.click()
    qtbot.waitUntil(lambda: len(desk.results.all_ids()) == 8, timeout=PATIENCE_MS)
    windows.idle(window)
    qtbot.waitUntil(lambda: [one.text() for one in desk.results.banner.offers()] == ["Hide weak matches"])
    desk.results.banner.offers()[0].click()
    qtbot.waitUntil(lambda: len(desk.results.all_ids()) < 8, timeout=PATIENCE_MS)
    windows.idle(window)


def test_that_a_region_dropped_on_the_query_bar_is_asked_for_with_its_stretch(desk, window, windows, qtbot):
    path = desk.results.current().path
    data = desk.player.regions.mime(path, Span(0.5, 1.0))
    assert isinstance(data, RegionMimeData)
    event = QDropEvent(
        QPointF(60, 12), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    desk.search_panel.bar.dropEvent(event)
    assert event.isAccepted()
    assert desk.search_panel.spec().clips == (ClipPart(path, Span(0.5, 1.0)),)
    assert data.rendered is None
    qtbot.waitUntil(lambda: desk.listing.question is not None, timeout=PATIENCE_MS)
    windows.idle(window)
    assert desk.results.board.results([0])[0].path == path


def test_that_more_like_a_short_sound_means_all_of_it(desk, windows, qtbot):
    ask(desk, windows, qtbot, QuerySpec(text="a dog barks"))
    desk.results.board.step(0)
    row = desk.results.current()
    assert row.span is None, "one window holds all of it"
    desk.commands.more_like_current()
    assert desk.search_panel.spec().clips == (ClipPart(row.path),)
    windows.idle(desk.window())


def test_that_a_saved_search_asks_again_is_renamed_and_deleted(desk, window, windows, qtbot):
    spec = QuerySpec(text="a dog barks", where=("duration<=5",))
    window.library.save_search("Barks", spec.to_json())
    panel = desk.library_panel
    panel.reload()
    windows.idle(window)

    def line():
        return panel.model.index(0, 0, panel.model.find(NodeKind.SECTION, "saved"))

    panel.tree.setCurrentIndex(line())
    qtbot.waitUntil(lambda: desk.listing.question == spec, timeout=PATIENCE_MS)
    windows.idle(window)
    assert desk.search_panel.spec() == spec
    assert "Dog" in desk.results.board.results([0])[0].name
    panel.model.setData(line(), "Howls")
    windows.idle(window)
    assert [saved.name for saved in window.library.saved_searches()] == ["Howls"]
    dict(panel.menu.entries(panel.model.node(line())))["Delete the saved search"]()
    windows.idle(window)
    assert window.library.saved_searches() == []


class Captioner:
    """Writes what it is told to; one of the sounds cannot be read."""

    card = SimpleNamespace(id="fake", description="For tests.")

    def __init__(self, *, fails_at: int = 0) -> None:
        self.fails_at = fails_at
        self.heard: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def caption(self, sound: Path) -> CaptionGuess:
        assert self.may_go_on.wait(10)
        self.heard.append(sound.name)
        if len(self.heard) == self.fails_at:
            raise UnusableFileError("It cannot be read.")
        return CaptionGuess("written anew", 0.9, (), (), is_sure=True)


def test_that_captions_of_several_sounds_are_written_anew_and_one_that_fails_is_a_notice(
    desk, window, windows, errors, qtbot
):
    captioner = Captioner(fails_at=2)
    window.library.use_captioner(captioner)
    ids = desk.results.all_ids()[:3].tolist()
    said: list[str] = []
    errors.noticed.connect(said.append)
    desk.results.board.list.select_rows([0, 1, 2], current=0)
    desk.results.wishes.choose("regenerate-caption", None)
    windows.idle(window)
    rows = window.library.rows(ids)
    assert [rows[file_id].caption is not None for file_id in ids] == [True, False, True]
    assert desk.inspector.caption.sentence.text == "written anew"
    assert any("cannot be read" in notice for notice in said)


def test_that_the_rows_in_sight_get_their_captions_first(desk, window, windows, settings, qtbot):
    captioner = Captioner()
    window.library.use_captioner(captioner)
    last = desk.results.all_ids()[-2:].tolist()
    made = window.library.create_collection("Two")
    window.library.add_to_collection(made, last)
    desk.library_panel.collection_selected.emit(made, "Two")
    windows.idle(window)
    qtbot.waitUntil(lambda: desk.controller._visible == tuple(last), timeout=PATIENCE_MS)
    settings.captions.enabled = True
    desk.follow_indexing_settings()
    windows.idle(window)
    rows = window.library.rows(last)
    assert captioner.heard[:2] == [rows[file_id].name for file_id in last]
    assert len(captioner.heard) == 8


def test_that_writing_captions_anew_ends_when_the_window_is_closed(desk, window, qtbot):
    captioner = Captioner()
    captioner.may_go_on.clear()
    window.library.use_captioner(captioner)
    desk.file_actions.regenerate_captions(desk.results.all_ids().tolist())
    qtbot.waitUntil(lambda: any(handle.name == "write captions anew" for handle in window._runner.running()))
    threading.Timer(0.2, captioner.may_go_on.set).start()
    window.close()
    assert window.library is None, "it came to rest within two seconds"
    assert len(captioner.heard) <= 1


@pytest.fixture
def disk(tmp_path, small_sounds) -> Path:
    """A folder as a disk is mounted at it, with three sounds."""
    place = tmp_path / "disk"
    shutil.copytree(small_sounds / "animals", place)
    return place


@pytest.mark.parametrize("leaves_a_folder", [True, False])
def test_that_an_unplugged_disk_is_offline_and_returns_with_all_that_was_known(
    disk, tmp_path, windows, qtbot, leaves_a_folder
):
    window = windows.open(tmp_path / "library")
    desk, library = window.desk, window.library
    desk.add_folders([disk])
    windows.idle(window)
    ids = library.list_files().tolist()
    library.set_rating(ids, 5)
    library.add_to_collection(made := library.create_collection("Dogs"), ids)
    desk.library_panel.folder_selected.emit(disk)
    windows.idle(window)
    desk.results.focus()
    windows.idle(window)

    disk.rename(tmp_path / "unplugged")
    if leaves_a_folder:
        disk.mkdir()
    desk.controller.rescan([disk])
    windows.idle(window)
    root = desk.library_panel.model.find(NodeKind.FOLDER, str(library.roots()[0].id))
    assert desk.library_panel.model.node(root).note == "Offline"
    assert desk.results.all_ids().tolist() == ids
    assert all(desk.results.board.model.shown_at(row).is_offline for row in range(3))
    assert "cannot be reached" in desk.inspector.problem.text()
    ask(desk, windows, qtbot, QuerySpec(text="a dog barks"))
    assert len(desk.results.all_ids()) > 0
    desk.results.focus()
    desk.commands.more_like_current()
    windows.idle(window)
    qtbot.waitUntil(lambda: not desk.search.is_busy, timeout=PATIENCE_MS)
    assert desk.results.banner.isHidden(), desk.results.banner.title

    if leaves_a_folder:
        disk.rmdir()
    (tmp_path / "unplugged").rename(disk)
    desk.controller.rescan([disk])
    windows.idle(window)
    assert desk.library_panel.model.node(root).note == ""
    assert not any(row.is_offline for row in library.rows(ids).values())
    assert {row.rating for row in library.rows(ids).values()} == {5}
    assert library.collection_files(made).tolist() == ids
    assert library.status().as_dict()["ready"] == 3, "nothing had to be listened to again"
