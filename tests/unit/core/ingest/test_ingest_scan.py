"""How the catalogue follows what happens to files."""

from __future__ import annotations

import os
import shutil

import pytest
from small_library import index_all, rows, scan_all, states, write_sound

from core.catalogue.models import File
from core.catalogue.repository import Repository
from core.catalogue.root import add_root, list_roots, remove_root
from core.catalogue.statistic import library_statistics, skipped_items
from core.errors import CancelledError, LibraryError
from core.ingest import scan as scan_module
from core.ingest.scan import scan
from core.jobs import CancelToken, Notice, Progress, Skipped


def repository(catalogue) -> Repository:
    return Repository(catalogue, model_id="bands-1.0.0", dimension=16)


def touch(*paths) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_that_names_folders_and_categories_are_found_right_after_a_scan(catalogue, sounds):
    touch(sounds / "Old House" / "DOORWood_CreakLong03_XY.wav", sounds / "b.wav")
    scan_all(catalogue, sounds)
    found = repository(catalogue)
    for words in ("creak", '"old house"', "long", "03", "doors", "wood", "folder:house", "name:crea*"):
        assert len(found.full_text_ids(words)) == 1, words
    assert len(found.full_text_ids("name:house")) == 0
    with catalogue.session() as session:
        assert [file.ucs_cat_id for file in session.query(File).order_by(File.name)] == ["DOORWood", None]


def test_that_a_second_scan_changes_nothing(catalogue, sounds):
    touch(*(sounds / f"{number}.wav" for number in range(5)))
    scan_all(catalogue, sounds)
    before = rows(catalogue, "SELECT * FROM files")
    assert scan_all(catalogue, sounds)[-1] == Progress("scan", 5, 5)
    assert rows(catalogue, "SELECT * FROM files") == before
    assert rows(catalogue, "SELECT count(*) FROM file_text") == [(5,)]


def test_that_a_vanished_file_is_missing_and_ready_again_when_it_returns(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1)
    write_sound(sounds / "b.wav", 2)
    index_all(catalogue, sounds)
    before = rows(catalogue, "SELECT id, vector FROM embeddings")
    path.rename(path.with_suffix(".away"))
    scan_all(catalogue)
    assert states(catalogue) == {"a.wav": "missing", "b.wav": "ready"}
    found = repository(catalogue)
    assert found.available_count() == 1
    assert [(file_id,) for file_id in found.missing_file_ids()] == rows(
        catalogue, "SELECT id FROM files WHERE name = 'a.wav'"
    )
    assert found.full_text('"a"', limit=5) == []
    path.with_suffix(".away").rename(path)
    scan_all(catalogue)
    assert states(catalogue) == {"a.wav": "ready", "b.wav": "ready"}
    assert found.available_count() == 2
    assert rows(catalogue, "SELECT id, vector FROM embeddings") == before


def test_that_a_changed_file_waits_again(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1)
    index_all(catalogue, sounds)
    write_sound(path, 2)
    os.utime(path, ns=(1, 1))
    scan_all(catalogue)
    assert states(catalogue) == {"a.wav": "scanned"}


def test_that_a_root_that_is_gone_is_offline_and_its_files_stay(catalogue, sounds, tmp_path):
    write_sound(sounds / "a.wav", 1)
    index_all(catalogue, sounds)
    sounds.rename(tmp_path / "unplugged")
    events = index_all(catalogue)
    assert [type(event) for event in events].count(Notice) == 1
    assert states(catalogue) == {"a.wav": "ready"}
    file = repository(catalogue).files_by_id([1])[1]
    assert file.is_offline
    assert library_statistics(catalogue).roots[0].is_offline
    # What an unmounted volume leaves behind is an empty folder.
    sounds.mkdir()
    scan_all(catalogue)
    assert states(catalogue) == {"a.wav": "ready"}
    sounds.rmdir()
    (tmp_path / "unplugged").rename(sounds)
    scan_all(catalogue)
    assert not repository(catalogue).files_by_id([1])[1].is_offline


def test_that_a_root_that_was_emptied_before_indexing_is_no_reason_to_stop(catalogue, sounds):
    scan_all(catalogue, sounds)
    assert not library_statistics(catalogue).roots[0].is_offline


def test_that_a_folder_inside_a_root_is_no_root_of_its_own(catalogue, sounds):
    touch(sounds / "in" / "a.wav", sounds / "b.wav")
    scan_all(catalogue, sounds, sounds / "in", sounds)
    assert [root.path for root in list_roots_of(catalogue)] == [sounds]
    assert set(states(catalogue)) == {"in/a.wav", "b.wav"}


def test_that_a_folder_around_a_root_leaves_it_its_files(catalogue, sounds):
    touch(sounds / "in" / "a.wav", sounds / "b.wav")
    scan_all(catalogue, sounds / "in")
    scan_all(catalogue, sounds)
    found = rows(catalogue, "SELECT r.display_path, f.display_path FROM files f JOIN roots r ON r.id = f.root_id")
    assert sorted(found) == sorted([(str(sounds), "b.wav"), (str(sounds / "in"), "a.wav")])


def list_roots_of(catalogue):
    with catalogue.session() as session:
        return list_roots(session)


def test_that_only_folders_can_be_added(catalogue, sounds):
    touch(sounds / "a.wav")
    (sounds / "loop").symlink_to("loop")
    for path, reason in ((sounds / "a.wav", "is not a folder"), (sounds / "nothing", "does not exist")):
        with pytest.raises(LibraryError, match=reason), catalogue.write() as session:
            add_root(session, path)
    with pytest.raises(LibraryError), catalogue.write() as session:
        add_root(session, sounds / "loop")
    assert list_roots_of(catalogue) == ()


def test_that_removing_a_root_forgets_everything_of_it(catalogue, sounds):
    write_sound(sounds / "keep" / "a.wav", 1)
    write_sound(sounds / "drop" / "b.wav", 2, duration_s=2.0)
    index_all(catalogue, sounds / "keep", sounds / "drop")
    labels = rows(catalogue, "SELECT e.id FROM embeddings e JOIN files f ON f.id = e.file_id WHERE name = 'b.wav'")
    with catalogue.write() as session:
        assert remove_root(session, sounds / "drop") == 1
    assert states(catalogue) == {"a.wav": "ready"}
    assert rows(catalogue, "SELECT embedding_id FROM removed_embeddings ORDER BY 1") == labels
    assert [count for (count,) in rows(catalogue, "SELECT count(*) FROM file_text")] == [1]
    assert (sounds / "drop" / "b.wav").exists()
    with pytest.raises(LibraryError, match="not a folder of this library"), catalogue.write() as session:
        remove_root(session, sounds / "drop")


def test_that_part_of_a_root_cannot_be_removed(catalogue, sounds):
    touch(sounds / "in" / "a.wav")
    scan_all(catalogue, sounds)
    with pytest.raises(LibraryError, match="is part of"), catalogue.write() as session:
        remove_root(session, sounds / "in")


def test_that_an_offline_root_can_be_removed(catalogue, sounds):
    touch(sounds / "a.wav")
    scan_all(catalogue, sounds)
    shutil.rmtree(sounds)
    with catalogue.write() as session:
        assert remove_root(session, sounds) == 1


def test_that_a_broken_link_is_told_once_and_listed(catalogue, sounds):
    (sounds / "a.wav").symlink_to("gone.wav")
    told = [event for event in scan_all(catalogue, sounds) if isinstance(event, Skipped)]
    assert told == [Skipped(str(sounds / "a.wav"), "It is a link to a file that does not exist.")]
    assert not [event for event in index_all(catalogue) if isinstance(event, Skipped)]
    assert [(item.path, item.reason) for item in skipped_items(catalogue)] == [(sounds / "a.wav", told[0].reason)]
    write_sound(sounds / "gone.wav", 1)
    index_all(catalogue)
    # The link now leads to a file that is found by itself.
    assert states(catalogue) == {"a.wav": "missing", "gone.wav": "ready"}


def test_that_a_scan_that_is_cancelled_marks_nothing_as_missing(catalogue, sounds, monkeypatch):
    monkeypatch.setattr(scan_module, "_BATCH_FILES", 10)
    touch(*(sounds / f"{number}.wav" for number in range(40)))
    scan_all(catalogue, sounds)
    (sounds / "7.wav").unlink()
    touch(*(sounds / f"new{number}.wav" for number in range(40)))
    cancel = CancelToken()
    job = scan(catalogue, cancel=cancel)
    next(job)
    cancel.cancel()
    with pytest.raises(CancelledError):
        list(job)
    assert "missing" not in states(catalogue).values()
    scan_all(catalogue)
    assert states(catalogue)["7.wav"] == "missing"
    assert len(states(catalogue)) == 80


def test_that_a_filter_by_state_finds_missing_files_and_other_filters_do_not(catalogue, sounds):
    touch(sounds / "a.wav", sounds / "b.wav")
    scan_all(catalogue, sounds)
    (sounds / "a.wav").unlink()
    scan_all(catalogue)
    found = repository(catalogue)
    assert found.file_ids_where().tolist() == found.file_ids_where(File.name.like("%.wav")).tolist()
    missing = found.file_ids_where(File.state == "missing")
    assert [found.files_by_id(missing.tolist())[row].path.name for row in missing.tolist()] == ["a.wav"]
    assert len(found.file_ids_where()) == 1
