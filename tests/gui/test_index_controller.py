from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.jobs.indexing import IndexController, Phase
from app.jobs.model import ModelLoader, ModelState
from core.errors import LibraryBusyError, LibraryError, ModelError
from core.jobs import Event, Notice, Progress, Skipped


@pytest.fixture
def controller(empty_library, runner, settings, errors):
    settings.indexing.watch = False
    settings.captions.enabled = False
    made = IndexController(library=empty_library, runner=runner, settings=settings, errors=errors)
    yield made
    made.close()


@pytest.fixture
def sounds(small_sounds, tmp_path) -> Path:
    """A folder of two real sounds of the test's own, one of which is damaged."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for path in sorted((small_sounds / "animals").iterdir())[:2]:
        shutil.copy2(path, folder)
    (folder / "broken.wav").write_bytes(b"RIFF nothing else")
    return folder


class ScriptedLibrary:
    """Jobs that a test holds at any point."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.may_embed = threading.Event()
        self.scan_error: Exception | None = None
        self.watcher_closed = 0

    def scan(self, folders, *, cancel) -> Iterator[Event]:
        self.calls.append(f"scan {[path.name for path in folders]}")
        if self.scan_error is not None:
            error, self.scan_error = self.scan_error, None
            raise error
        yield Progress("scan", 1, 1)

    def embed(self, *, jobs, cancel, pause) -> Iterator[Event]:
        self.calls.append("embed")
        yield Progress("index", 0, 2)
        while not self.may_embed.wait(0.01):
            cancel.check()
        pause.wait(cancel)
        yield Skipped("bad.wav", "damaged")
        yield Notice("one folder cannot be reached")
        yield Progress("index", 2, 2)

    def captioner_card(self):
        return None

    def remove(self, folder) -> int:
        self.calls.append(f"remove {folder.name}")
        return 3

    def watch(self, on_change):
        self.on_change = on_change
        return self

    def close(self) -> None:
        self.watcher_closed += 1


@pytest.fixture
def scripted(runner, settings, errors):
    library = ScriptedLibrary()
    made = IndexController(library=library, runner=runner, settings=settings, errors=errors)
    yield library, made
    library.may_embed.set()
    made.close()


def test_that_a_folder_is_scanned_embedded_and_searchable(controller, empty_library, sounds, until_idle):
    phases, skipped, finished = [], [], []
    controller.changed.connect(lambda: phases.append(controller.phase))
    controller.skipped.connect(skipped.append)
    controller.finished.connect(lambda: finished.append(True))
    controller.add([sounds])
    assert controller.is_scanning(sounds)
    until_idle()
    assert phases[0] is Phase.SCANNING
    assert Phase.INDEXING in phases
    assert controller.phase is Phase.IDLE
    assert finished == [True]
    assert [Path(item.path).name for item in skipped] == ["broken.wav"]
    assert len(empty_library.list_files("state:ready")) == 2


def test_that_a_second_round_finds_nothing_to_do(controller, empty_library, sounds, until_idle):
    controller.add([sounds])
    until_idle()
    windows = empty_library.status().windows
    controller.rescan()
    until_idle()
    assert empty_library.status().windows == windows
    assert controller.phase is Phase.IDLE


def test_that_a_removed_folder_is_forgotten_and_its_files_stay(
    controller, empty_library, sounds, until_idle, errors, qtbot
):
    controller.add([sounds])
    until_idle()
    with qtbot.waitSignal(errors.noticed) as told:
        controller.remove(sounds)
    until_idle()
    assert empty_library.roots() == []
    assert "taken out of the library" in told.args[0]
    assert len(list(sounds.iterdir())) == 3


def test_that_stopping_keeps_what_waits_for_the_next_time(scripted, qtbot, until_idle):
    library, controller = scripted
    controller.rescan()
    qtbot.waitUntil(lambda: "embed" in library.calls)
    controller.cancel()
    assert controller.phase is Phase.STOPPING
    until_idle()
    assert controller.phase is Phase.IDLE
    library.may_embed.set()
    controller.go_on()
    until_idle()
    assert library.calls == ["scan []", "embed", "embed"]


def test_that_a_new_folder_is_scanned_while_others_are_embedded(scripted, qtbot, until_idle):
    library, controller = scripted
    controller.rescan()
    qtbot.waitUntil(lambda: controller.phase is Phase.INDEXING and "embed" in library.calls)
    controller.add([Path("/sounds/new")])
    qtbot.waitUntil(lambda: "scan ['new']" in library.calls)
    assert controller.phase in (Phase.SCANNING, Phase.INDEXING)
    library.may_embed.set()
    until_idle()
    assert library.calls[:3] == ["scan []", "embed", "scan ['new']"]
    assert library.calls[3:] == ["embed"], "what the scan found in the last moment is embedded, too"


def test_that_pausing_holds_the_work_until_it_is_resumed(scripted, qtbot, until_idle):
    library, controller = scripted
    changes: list[bool] = []
    controller.changed.connect(lambda: changes.append(controller.is_paused))
    controller.rescan()
    qtbot.waitUntil(lambda: "embed" in library.calls)
    controller.pause()
    library.may_embed.set()
    assert controller.is_paused
    assert changes[-1]
    controller.toggle_pause()
    until_idle()
    assert controller.phase is Phase.IDLE
    assert controller.stages["index"] == Progress("index", 2, 2)


def test_that_a_paused_job_can_be_stopped(scripted, qtbot, until_idle):
    library, controller = scripted
    controller.rescan()
    qtbot.waitUntil(lambda: "embed" in library.calls)
    controller.pause()
    library.may_embed.set()
    controller.cancel()
    until_idle()
    assert controller.phase is Phase.IDLE
    assert not controller.is_paused


def test_that_removing_interrupts_the_work_and_lets_it_go_on_afterwards(scripted, qtbot, until_idle):
    library, controller = scripted
    controller.rescan()
    qtbot.waitUntil(lambda: "embed" in library.calls)
    controller.remove(Path("/sounds/old"))
    qtbot.waitUntil(lambda: library.calls.count("embed") == 2)
    assert library.calls == ["scan []", "embed", "remove old", "embed"]
    library.may_embed.set()
    until_idle()


def test_that_another_program_at_work_is_a_notice_and_is_waited_for(scripted, qtbot, until_idle, errors):
    library, controller = scripted
    library.may_embed.set()
    library.scan_error = LibraryBusyError("Another Earshot is indexing.", "Wait.")
    with qtbot.waitSignal(errors.noticed) as told:
        controller.rescan([Path("/sounds/a")])
    until_idle()
    assert told.args == ["Another Earshot is indexing. Wait."]
    assert library.calls == ["scan ['a']"]
    controller._again.timeout.emit()
    until_idle()
    assert library.calls == ["scan ['a']", "scan ['a']", "embed"]


def test_that_a_failure_is_shown_and_the_next_wish_is_still_done(scripted, qtbot, until_idle, errors):
    library, controller = scripted
    library.may_embed.set()
    library.scan_error = LibraryError("The folder does not exist.", "Name another.")
    with qtbot.waitSignal(errors.known_raised):
        controller.add([Path("/sounds/gone")])
    controller.add([Path("/sounds/there")])
    until_idle()
    assert "scan ['there']" in library.calls
    assert controller.phase is Phase.IDLE


def test_that_a_change_on_disk_is_looked_at(scripted, qtbot, until_idle):
    library, controller = scripted
    library.may_embed.set()
    controller.watch()
    until_idle()
    noticer = threading.Thread(target=library.on_change, args=(Path("/sounds/changed"),))
    noticer.start()
    noticer.join()
    qtbot.waitUntil(lambda: "scan ['changed']" in library.calls)
    until_idle()


def test_that_closing_stops_the_jobs_and_the_watcher(scripted, qtbot, runner):
    library, controller = scripted
    controller.watch()
    controller.rescan()
    qtbot.waitUntil(lambda: "embed" in library.calls and controller._watcher is not None)
    controller.close()
    assert runner.shutdown(2.0)
    assert library.watcher_closed >= 1
    controller.rescan()
    assert library.calls.count("scan []") == 1


def test_that_growth_is_told_now_and_then_and_at_the_end(scripted, until_idle):
    library, controller = scripted
    library.may_embed.set()
    told: list[bool] = []
    controller.grew.connect(lambda: told.append(True))
    controller.rescan()
    until_idle()
    assert len(told) == 2, "once after the scan, once after the work"


def test_that_the_model_is_loaded_in_the_background(small_library, runner, errors, until_idle):
    loader = ModelLoader(library=small_library, runner=runner, errors=errors)
    states: list[ModelState] = []
    loader.changed.connect(lambda: states.append(loader.state))
    loader.load()
    loader.load()
    until_idle()
    assert states == [ModelState.LOADING, ModelState.READY]
    assert loader.device == "CPU"


def test_that_a_damaged_model_is_said_to_be(small_library, runner, errors, until_idle, monkeypatch, qtbot):
    def fail() -> None:
        raise ModelError("The model file is damaged.", "Install it again.")

    monkeypatch.setattr(small_library, "encoder", fail)
    loader = ModelLoader(library=small_library, runner=runner, errors=errors)
    with qtbot.waitSignal(errors.known_raised):
        loader.load()
    assert loader.state is ModelState.FAILED
    assert "damaged" in loader.message


def test_that_a_model_that_takes_over_is_loaded_and_shown(runner, errors, until_idle):
    old, new = SimpleNamespace(id="earshot-base-1.0.0"), SimpleNamespace(id="earshot-base-2.0.0")
    library = SimpleNamespace(card=old, wanted_card=new, encoder=lambda: SimpleNamespace(device="cpu"))
    loader = ModelLoader(library=library, runner=runner, errors=errors)
    loader.load()
    until_idle()
    loader.follow()
    assert (loader.model_id, loader.successor_id, loader.state) == (old.id, new.id, ModelState.READY)
    library.card = new
    loader.follow()
    assert (loader.model_id, loader.successor_id, loader.state) == (new.id, "", ModelState.LOADING)
    until_idle()
    assert loader.state is ModelState.READY
