"""What lists and trees show, and files that lie outside all folders."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from small_library import BandEncoder, index_all, rows, scan_all, states, write_sound

from core.catalogue import Catalogue
from core.catalogue.browse import below_folder, desk_rows, file_detail, ordered_ids, recent_ids, root_rows, ucs_counts
from core.catalogue.collection import add_to_collection, create_collection
from core.catalogue.kept import forget_unused, keep_file
from core.catalogue.models import FileState
from core.catalogue.peaks import files_without_peaks, peaks_of, store_peaks
from core.catalogue.repository import Repository
from core.catalogue.root import add_root, list_roots
from core.catalogue.statistic import skipped_items
from core.catalogue.tag import add_tag, set_rating
from core.ingest.outline import measure_outlines
from core.ingest.pipeline import ingest
from core.ingest.scan import scan
from core.jobs import CancelToken


def listed(catalogue: Catalogue, *conditions: object, **how: object) -> list[str]:
    ids = ordered_ids(catalogue, *conditions, **how).tolist()
    found = desk_rows(catalogue, ids)
    return [found[file_id].name for file_id in ids]


def embed(catalogue: Catalogue) -> None:
    list(ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs=1))


def test_that_a_row_shows_what_is_known_before_and_after_indexing(catalogue, sounds):
    path = write_sound(sounds / "doors" / "DOORWood_Creak_AB_Film.wav", 1, duration_s=0.5, channels=2)
    scan_all(catalogue, sounds)
    (row,) = desk_rows(catalogue, [1]).values()
    assert (row.path, row.name, row.folder) == (path, path.name, str(path.parent))
    assert (row.container, row.category, row.state, row.duration_s) == ("wav", "DOORWood", FileState.SCANNED, None)
    assert (row.size_bytes, row.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    embed(catalogue)
    (row,) = desk_rows(catalogue, [1, 77]).values()
    assert (row.state, row.sample_rate_hz, row.channels, row.bit_depth) == (FileState.READY, 8_000, 2, 16)
    assert row.duration_s == pytest.approx(0.5)
    assert row.peak_db < 0
    assert row.caption is None
    assert file_detail(catalogue, 1).row == row
    assert file_detail(catalogue, 77) is None


def test_that_a_row_tells_why_a_file_cannot_be_used_and_that_its_folder_is_away(catalogue, sounds):
    (sounds / "bad.wav").write_bytes(b"not a sound")
    index_all(catalogue, sounds)
    row = desk_rows(catalogue, [1])[1]
    assert row.state is FileState.SKIPPED
    assert row.skip_reason == skipped_items(catalogue)[0].reason != ""
    sounds.rename(sounds.with_name("elsewhere"))
    scan_all(catalogue)
    assert desk_rows(catalogue, [1])[1].is_offline
    assert root_rows(catalogue)[0].is_offline


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes exist on POSIX only")
def test_that_names_of_any_bytes_are_shown_and_opened(catalogue, sounds):
    name = os.fsdecode(b"caf\xe9.wav")
    write_sound(sounds / "plain.wav", 1).rename(sounds / name)
    scan_all(catalogue, sounds)
    row = desk_rows(catalogue, [1])[1]
    assert row.name == "caf\ufffd.wav"
    assert row.path.is_file()


def test_that_files_are_sorted_by_any_column_with_unknown_ones_last(catalogue, sounds):
    for number, (name, duration_s) in enumerate([("b.wav", 0.2), ("A.wav", 0.6), ("c.wav", 0.4)]):
        write_sound(sounds / name, number, duration_s=duration_s)
    index_all(catalogue, sounds)
    write_sound(sounds / "new.wav", 9)
    scan_all(catalogue)
    assert listed(catalogue, order="name") == ["A.wav", "b.wav", "c.wav", "new.wav"]
    assert listed(catalogue, order="path", descending=True) == ["new.wav", "c.wav", "b.wav", "A.wav"]
    assert listed(catalogue, order="duration") == ["b.wav", "c.wav", "A.wav", "new.wav"]
    assert listed(catalogue, order="duration", descending=True) == ["A.wav", "c.wav", "b.wav", "new.wav"]
    assert listed(catalogue, order="size")[-1] in ("A.wav", "new.wav")
    assert recent_ids(catalogue, 1).tolist() == [4]
    for order in ("folder", "category", "format", "rate", "channels", "bits", "peak", "loudness", "changed", "caption"):
        assert len(listed(catalogue, order=order)) == 4


def test_that_missing_files_are_not_listed(catalogue, sounds):
    write_sound(sounds / "a.wav", 1)
    write_sound(sounds / "DOORWood_b.wav", 2)
    scan_all(catalogue, sounds)
    assert [(count.cat_id, count.category, count.files) for count in ucs_counts(catalogue)] == [
        ("DOORWood", "DOORS", 1)
    ]
    (sounds / "DOORWood_b.wav").unlink()
    scan_all(catalogue)
    assert listed(catalogue) == ["a.wav"]
    assert [row.name for row in desk_rows(catalogue, recent_ids(catalogue, 9)).values()] == ["a.wav"]
    assert ucs_counts(catalogue) == []


def test_that_waveforms_are_kept_at_indexing_and_made_up_for_older_libraries(catalogue, sounds):
    write_sound(sounds / "a.wav", 1, duration_s=0.5)
    index_all(catalogue, sounds)
    (peaks,) = peaks_of(catalogue, [1, 2]).values()
    assert len(peaks) == 256
    assert peaks.duration_s == pytest.approx(0.5)
    assert peaks.low.min() < 0 < peaks.high.max()
    with catalogue.write() as session:
        session.connection().exec_driver_sql("DELETE FROM peaks")
    assert files_without_peaks(catalogue) == [(1, sounds / "a.wav")]
    (event,) = measure_outlines(catalogue, cancel=CancelToken())
    assert (event.stage, event.done, event.files) == ("outline", 1, (1,))
    assert peaks_of(catalogue, [1])[1].to_bytes() == peaks.to_bytes()
    assert list(measure_outlines(catalogue, cancel=CancelToken())) == []


def test_that_damaged_peaks_are_as_good_as_none(catalogue, sounds):
    write_sound(sounds / "a.wav", 1)
    index_all(catalogue, sounds)
    with catalogue.write() as session:
        store_peaks(session, 999, peaks_of(catalogue, [1])[1])
        session.connection().exec_driver_sql("UPDATE peaks SET overview = x'00'")
    assert peaks_of(catalogue, [1, 999]) == {}


def test_that_a_file_outside_the_folders_is_searched_indexed_and_followed(catalogue, sounds, tmp_path):
    write_sound(sounds / "inside.wav", 1)
    scan_all(catalogue, sounds)
    outside = write_sound(tmp_path / "else" / "Zeppelin.wav", 2)
    with catalogue.write() as session:
        kept = keep_file(session, outside)
        assert keep_file(session, outside) == kept
        assert keep_file(session, sounds / "inside.wav") == 1
    assert rows(catalogue, "SELECT rowid FROM file_text WHERE file_text MATCH 'zeppelin'") == [(kept,)]
    embed(catalogue)
    row = desk_rows(catalogue, [kept])[kept]
    assert (row.path, row.folder, row.state) == (outside, str(outside.parent), FileState.READY)
    assert Repository(catalogue, model_id="bands-1.0.0", dimension=16).file_at(outside).id == kept
    assert [root.path for root in root_rows(catalogue)] == [sounds]
    with catalogue.session() as session:
        assert [root.path for root in list_roots(session)] == [sounds]
    outside.rename(outside.with_name("away.wav"))
    scan_all(catalogue)
    assert desk_rows(catalogue, [kept])[kept].state is FileState.MISSING
    outside.with_name("away.wav").rename(outside)
    scan_all(catalogue)
    assert desk_rows(catalogue, [kept])[kept].state is FileState.READY
    write_sound(outside, 3, duration_s=1.5)
    scan_all(catalogue)
    assert desk_rows(catalogue, [kept])[kept].state is FileState.SCANNED
    embed(catalogue)
    assert desk_rows(catalogue, [kept])[kept].duration_s == pytest.approx(1.5)


def test_that_a_kept_file_keeps_all_it_carries_when_its_folder_is_added(catalogue, tmp_path):
    outside = write_sound(tmp_path / "else" / "deep" / "gate.wav", 2)
    with catalogue.write() as session:
        kept = keep_file(session, outside)
        set_rating(session, [kept], 4)
        add_tag(session, [kept], "iron")
    embed(catalogue)
    with catalogue.write() as session:
        add_root(session, tmp_path / "else")
    list(scan(catalogue, cancel=CancelToken()))
    assert states(catalogue) == {"deep/gate.wav": "ready"}
    row = desk_rows(catalogue, [kept])[kept]
    assert (row.path, row.rating, row.tags) == (outside, 4, ("iron",))


def test_that_kept_files_that_nothing_holds_are_forgotten(catalogue, tmp_path, sounds):
    paths = [write_sound(tmp_path / "else" / f"{number}.wav", number) for number in range(3)]
    write_sound(sounds / "inside.wav", 9)
    scan_all(catalogue, sounds)
    with catalogue.write() as session:
        ids = [keep_file(session, path) for path in paths]
        add_to_collection(session, create_collection(session, "film"), ids[:1])
        set_rating(session, ids[1:2], 1)
        forget_unused(session, [*ids, 1])
    assert sorted(desk_rows(catalogue, [*ids, 1])) == sorted([1, *ids[:2]])


def test_that_lists_are_read_while_another_thread_writes(catalogue, sounds):
    for number in range(12):
        write_sound(sounds / f"{number}.wav", number, duration_s=0.2)
    scan_all(catalogue, sounds)
    finished, failures, seen = threading.Event(), [], []

    def read() -> None:
        try:
            while not finished.is_set():
                ids = ordered_ids(catalogue, order="duration")
                seen.append(len(desk_rows(catalogue, ids.tolist())))
                peaks_of(catalogue, ids.tolist())
                root_rows(catalogue)
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        embed(catalogue)
        for number in range(20):
            with catalogue.write() as session:
                set_rating(session, [1 + number % 12], number % 6)
    finally:
        finished.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert set(seen) == {12}


def test_that_a_root_in_which_nothing_was_found_is_listed(catalogue, sounds: Path):
    scan_all(catalogue, sounds)
    (root,) = root_rows(catalogue)
    assert root.files_by_state == dict.fromkeys(FileState, 0)
    assert (root.duration_s, root.size_bytes) == (0.0, 0)


def test_that_a_folder_holds_what_lies_in_it_and_below_and_nothing_that_is_named_alike(catalogue, sounds):
    for number, name in enumerate(("Doors/a.wav", "Doors/Wood/b.wav", "Doors 2/c.wav", "far/Doors/d.wav")):
        write_sound(sounds / name, number)
    scan_all(catalogue, sounds)

    def below(folder: Path) -> list[str]:
        return listed(catalogue, below_folder(catalogue, folder))

    assert below(sounds / "Doors") == ["a.wav", "b.wav"]
    assert below(sounds / "Doors" / "Wood") == ["b.wav"]
    assert len(below(sounds)) == len(below(sounds.parent)) == 4
    assert below(sounds / "nothing") == below(Path("/elsewhere")) == []
