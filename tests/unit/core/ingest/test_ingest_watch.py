"""Watching folders, with a file system whose events are made by hand."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from watchdog.events import (
    DirCreatedEvent,
    DirModifiedEvent,
    FileClosedEvent,
    FileClosedNoWriteEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileOpenedEvent,
)
from watchdog.observers.api import BaseObserver, EventEmitter

from core.ingest import watch
from core.ingest.watch import Debounce, Watcher, matters

ROOT = Path("/sounds")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (FileCreatedEvent("/sounds/a.wav"), True),
        (FileClosedEvent("/sounds/deep/a.FLAC"), True),
        (FileOpenedEvent("/sounds/a.wav"), False),
        (FileClosedNoWriteEvent("/sounds/a.wav"), False),
        (FileCreatedEvent("/sounds/notes.txt"), False),
        (FileCreatedEvent("/sounds/.hidden/a.wav"), False),
        (FileCreatedEvent("/elsewhere/a.wav"), False),
        (FileMovedEvent("/sounds/a.tmp", "/sounds/a.wav"), True),
        (FileMovedEvent("/sounds/a.wav", "/elsewhere/a.wav"), True),
        (DirCreatedEvent("/sounds/new"), True),
        (DirModifiedEvent("/sounds/new"), False),
    ],
)
def test_that_only_events_that_a_scan_would_see_matter(event, expected):
    assert matters(ROOT, event) is expected


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def test_that_a_folder_is_due_when_it_has_been_quiet_for_a_moment():
    clock = Clock()
    debounce = Debounce(clock)
    assert debounce.take_due() == []
    for _ in range(4):
        debounce.touch(ROOT)
        clock.s += 1.5
        assert debounce.take_due() == []
    clock.s += 0.5
    assert debounce.wait_s() == 0.0
    assert debounce.take_due() == [ROOT]
    assert debounce.take_due() == []


def test_that_a_folder_that_never_rests_is_due_nevertheless():
    clock = Clock()
    debounce = Debounce(clock)
    due = []
    for _ in range(60):
        debounce.touch(ROOT)
        clock.s += 1.0
        due += debounce.take_due()
    assert due == [ROOT, ROOT]


class SilentObserver(BaseObserver):
    """Takes part in everything and sees nothing."""

    def __init__(self) -> None:
        super().__init__(EventEmitter, timeout=0.05)


@pytest.fixture
def changes(monkeypatch):
    monkeypatch.setattr(watch, "QUIET_S", 0.05)
    monkeypatch.setattr(watch, "LOOK_S", 0.05)


def test_that_a_change_is_told_once_with_its_folder(tmp_path, changes):
    told, heard = [], threading.Event()
    watcher = Watcher(lambda root: (told.append(root), heard.set()), observer=SilentObserver())
    watcher.follow([tmp_path])
    for name in ("a.wav", "b.wav", "notes.txt"):
        watcher.note(tmp_path, FileCreatedEvent(str(tmp_path / name)))
    assert heard.wait(10)
    watcher.close()
    assert told == [tmp_path]
    assert watcher.is_closed
    watcher.close()


def test_that_a_volume_that_goes_and_comes_back_is_told(tmp_path, changes):
    volume = tmp_path / "volume"
    volume.mkdir()
    told = threading.Semaphore(0)
    watcher = Watcher(lambda root: told.release(), observer=SilentObserver())
    watcher.follow([volume])
    volume.rename(tmp_path / "unmounted")
    assert told.acquire(timeout=10)
    (tmp_path / "unmounted").rename(volume)
    assert told.acquire(timeout=10)
    watcher.close()


def test_that_a_volume_that_leaves_an_empty_folder_at_its_mount_point_is_told(tmp_path, changes):
    volume, beneath = tmp_path / "volume", tmp_path / "beneath"
    volume.mkdir()
    beneath.mkdir()
    told = threading.Semaphore(0)
    watcher = Watcher(lambda root: told.release(), observer=SilentObserver())
    watcher.follow([volume])
    beneath.rename(volume)  # in one step, so that there is a folder at every moment
    assert told.acquire(timeout=10)
    watcher.close()


def test_that_a_folder_that_cannot_be_watched_is_not_told_of_again_and_again(tmp_path, changes, caplog):
    class Full(SilentObserver):
        def schedule(self, *arguments, **options):
            raise OSError("inotify watch limit reached")

    told, looked = [], threading.Semaphore(0)
    watcher = Watcher(told.append, observer=Full())
    look = watcher._look
    watcher._look = lambda: (looked.release(), look())[1]
    watcher.follow([tmp_path])
    for _ in range(4):
        assert looked.acquire(timeout=10)
    watcher.close()
    assert told == []
    assert "inotify watch limit reached" in caplog.text


def test_that_a_failing_listener_does_not_end_the_watching(tmp_path, changes, caplog):
    told = threading.Semaphore(0)

    def listen(root: Path) -> None:
        told.release()
        raise RuntimeError("a bug of the listener's")

    watcher = Watcher(listen, observer=SilentObserver())
    for _ in range(2):
        watcher.note(tmp_path, FileCreatedEvent(str(tmp_path / "a.wav")))
        assert told.acquire(timeout=10)
    watcher.close()
    assert "a bug of the listener's" in caplog.text


def test_that_the_platform_tells_of_a_new_file_in_a_new_folder(tmp_path, changes):
    told = threading.Semaphore(0)
    watcher = Watcher(lambda root: told.release())
    watcher.follow([tmp_path])
    (tmp_path / "new").mkdir()
    assert told.acquire(timeout=30)
    (tmp_path / "new" / "a.wav").write_bytes(b"RIFF")
    assert told.acquire(timeout=30)
    watcher.follow([])
    watcher.close()
