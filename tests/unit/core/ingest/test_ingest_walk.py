"""What a walk through a folder finds, and what it leaves alone."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
from pathlib import Path

import pytest
from small_library import scan_all, states

from core.catalogue import Catalogue
from core.catalogue.models import File
from core.catalogue.statistic import skipped_items
from core.ingest.walk import FolderWalk
from core.jobs import Skipped


def walked(root, **options) -> dict[str, str]:
    """Problem by relative path."""
    walk = FolderWalk(root, **options)
    found = list(walk.files())
    assert len({file.relative_path for file in found}) == len(found)
    return {file.relative_path: file.problem for file in found}


def touch(*paths) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_that_sounds_are_found_at_any_depth_and_other_files_are_not(sounds):
    deep = sounds.joinpath(*["deeper"] * 60)
    touch(sounds / "a.WAV", sounds / "cover.jpg", sounds / "notes.txt", sounds / "x" / "b.flac", deep / "c.mp3")
    assert set(walked(sounds)) == {"a.WAV", "x/b.flac", str((deep / "c.mp3").relative_to(sounds))}


def test_that_hidden_files_and_what_macos_and_windows_leave_are_ignored(sounds):
    touch(sounds / "._a.wav", sounds / ".hidden" / "b.wav", sounds / "__MACOSX" / "c.wav")
    touch(sounds / "$RECYCLE.BIN" / "d.wav", sounds / "e.wav")
    assert set(walked(sounds)) == {"e.wav"}


def test_that_linked_folders_are_followed_and_loops_end(sounds, tmp_path):
    touch(sounds / "a" / "one.wav", tmp_path / "elsewhere" / "two.wav")
    (sounds / "loop").symlink_to(sounds)
    (sounds / "a" / "up").symlink_to("..")
    (sounds / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(sounds)
    assert set(walked(sounds)) == {"a/one.wav", "other/two.wav"}


def test_that_a_folder_with_a_link_to_it_is_known_by_its_real_path(sounds):
    touch(sounds / "zebra" / "one.wav")
    (sounds / "apple").symlink_to("zebra")
    assert set(walked(sounds)) == {"zebra/one.wav"}


def test_that_a_link_to_a_file_counts_unless_the_file_is_found_anyway(sounds, tmp_path):
    touch(sounds / "inside.wav", sounds / ".hidden" / "secret.wav", sounds / "data.bin", tmp_path / "outside.wav")
    (sounds / "1.wav").symlink_to("inside.wav")
    (sounds / "2.wav").symlink_to(tmp_path / "outside.wav")
    (sounds / "3.wav").symlink_to(".hidden/secret.wav")
    (sounds / "4.wav").symlink_to("data.bin")
    assert set(walked(sounds)) == {"inside.wav", "2.wav", "3.wav", "4.wav"}


def test_that_links_that_lead_nowhere_are_told(sounds):
    (sounds / "broken.wav").symlink_to("gone.wav")
    (sounds / "self.wav").symlink_to("self.wav")
    (sounds / "broken.txt").symlink_to("gone.txt")
    found = walked(sounds)
    assert set(found) == {"broken.wav", "self.wav"}
    assert "does not exist" in found["broken.wav"]
    assert "back to itself" in found["self.wav"]


def test_that_pipes_and_sockets_are_told_without_being_opened(sounds, monkeypatch):
    os.mkfifo(sounds / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as listening:
        # The name of a socket may be 108 bytes long.
        monkeypatch.chdir(sounds)
        listening.bind("socket.wav")
        found = walked(sounds)
    assert found == {"pipe.wav": "It is a pipe, not a file.", "socket.wav": "It is a socket, not a file."}


def test_that_a_folder_that_cannot_be_read_is_told_and_the_rest_is_found(catalogue, sounds, monkeypatch):
    touch(sounds / "a.wav", sounds / "locked" / "b.wav", sounds / "locked" / "in" / "c.wav")
    scan_all(catalogue, sounds)
    forbid(monkeypatch, sounds / "locked")
    (sounds / "a.wav").unlink()
    events = scan_all(catalogue)
    assert Skipped(str(sounds / "locked"), "The folder cannot be read: Permission denied.") in events
    # Of what lies behind the lock nothing is concluded.
    assert states(catalogue) == {"a.wav": "missing", "locked/b.wav": "scanned", "locked/in/c.wav": "scanned"}
    assert [str(item.path) for item in skipped_items(catalogue)] == [str(sounds / "locked")]
    monkeypatch.undo()
    scan_all(catalogue)
    assert skipped_items(catalogue) == []


def forbid(monkeypatch, folder) -> None:
    """Permissions do not bind the superuser, as whom tests may run."""
    scandir = os.scandir

    def guarded(path):
        if os.fspath(path).startswith(str(folder)):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only the superuser can become someone else")
def test_that_real_permissions_are_respected(sounds, tmp_path):
    touch(sounds / "a.wav", sounds / "locked" / "b.wav")
    (sounds / "locked").chmod(0)
    for folder in (sounds, *sounds.parents):
        if folder.name.startswith(("pytest-", "popen-", "test_", sounds.name)):
            folder.chmod(0o755)
    outcome: list[object] = []

    def walk_as_nobody() -> None:
        # On Linux the bare system call changes the identity of one thread only.
        ctypes.CDLL(None, use_errno=True).syscall(_SETRESUID, -1, 65534, -1)
        walk = FolderWalk(sounds)
        outcome.extend([[file.relative_path for file in walk.files()], walk.unreadable])

    thread = threading.Thread(target=walk_as_nobody)
    thread.start()
    thread.join()
    (sounds / "locked").chmod(0o755)
    assert outcome == [["a.wav"], [("locked", "The folder cannot be read: Permission denied.")]]


_SETRESUID = 147 if os.uname().machine == "aarch64" else 117


def test_that_names_of_any_bytes_are_kept_exactly(sounds, tmp_path):
    names = ["Ger\u00e4usch \U0001f389.wav", "line\nbreak.wav", "100%_'\";--.wav", os.fsdecode(b"latin1-\xe9\xff.wav")]
    folder = sounds / os.fsdecode(b"\xfforder")
    touch(*(folder / name for name in names))
    with Catalogue.open(tmp_path / "library") as catalogue:
        scan_all(catalogue, sounds)
        with catalogue.session() as session:
            stored = session.query(File).all()
            assert {file.path for file in stored} == {str(folder / name) for name in names}
            assert all(Path(file.path).exists() for file in stored)
            assert {file.folder for file in stored} == {"\ufffdorder"}
        before = states(catalogue)
        scan_all(catalogue)
        assert states(catalogue) == before


def test_that_a_root_inside_a_root_is_left_to_itself(sounds):
    touch(sounds / "a.wav", sounds / "inner" / "b.wav", sounds / "c" / "d.wav")
    (sounds / "c" / "link").symlink_to(sounds / "inner")
    assert set(walked(sounds, apart=[sounds / "inner"])) == {"a.wav", "c/d.wav"}
