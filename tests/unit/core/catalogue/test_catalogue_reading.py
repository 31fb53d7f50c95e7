"""What searching asks of the catalogue, and what the index does."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from small_library import index_all, rows, scan_all, write_sound

from core.catalogue import Catalogue
from core.catalogue.models import Caption, Collection, CollectionFile, File, FileState, Tag
from core.catalogue.repository import TEXT_COLUMNS, Repository
from core.catalogue.statistic import changed_files, check_integrity, library_statistics
from core.catalogue.text import describe_path, refresh_captions, searchable
from core.catalogue.vectors import CatalogueVectors
from core.errors import QueryError

MODEL = {"model_id": "bands-1.0.0", "dimension": 16}


@pytest.fixture
def filled(catalogue, sounds) -> Catalogue:
    """Five files of one to five windows, of two rates, in two folders."""
    for number in range(5):
        write_sound(
            sounds / ("near" if number % 2 else "far") / f"Wind{number}.wav",
            number,
            duration_s=1.0 + number / 2,
            rate_hz=16_000 if number < 2 else 8_000,
        )
    index_all(catalogue, sounds, jobs=1)
    return catalogue


def names(catalogue: Catalogue, ids) -> set[str]:
    found = Repository(catalogue, **MODEL).files_by_id(list(ids))
    assert sorted(found) == sorted(int(file_id) for file_id in ids)
    return {file.path.name for file in found.values()}


def test_that_filters_give_ids_in_order(filled):
    found = Repository(filled, **MODEL)
    ids = found.file_ids_where(File.sample_rate_hz > 8_000, File.duration_s < 1.2)
    assert names(filled, ids) == {"Wind0.wav"}
    assert ids.dtype == np.int64
    assert found.file_ids_where(File.folder == "near").tolist() == sorted(found.file_ids_where(File.folder == "near"))
    assert names(filled, found.file_ids_where(File.folder == "near")) == {"Wind1.wav", "Wind3.wav"}
    assert len(found.file_ids_where(File.channels == 7)) == 0


def test_that_files_can_be_filtered_by_tag_and_collection(filled):
    with filled.write() as session:
        file = session.query(File).filter_by(name="Wind3.wav").one()
        file.tags.append(Tag(name="storm"))
        session.add(collection := Collection(name="film", added_at=0.0))
        session.flush()
        session.add(CollectionFile(collection_id=collection.id, file_id=file.id, position=0))
    found = Repository(filled, **MODEL)
    assert names(filled, found.file_ids_where(File.tags.any(Tag.name == "storm"))) == {"Wind3.wav"}
    assert names(filled, found.file_ids_where(File.collections.any(Collection.name == "film"))) == {"Wind3.wav"}


def test_that_labels_lead_to_spans_files_and_vectors(filled):
    found = Repository(filled, **MODEL)
    file_ids = found.file_ids_where(File.name.in_(["Wind2.wav", "Wind4.wav"]))
    labels = found.labels_of_files(file_ids)
    assert len(labels) == 3 + 5
    windows = found.windows_of_files(file_ids)
    assert windows.labels.tolist() == sorted(labels.tolist())
    assert set(windows.files.tolist()) == set(file_ids.tolist())
    for file_id in file_ids:
        mine = windows.taken(windows.files == file_id)
        duration_s = found.files_by_id([int(file_id)])[int(file_id)].duration_s
        assert mine.starts_s.tolist() == [0.5 * window for window in range(len(mine))]
        assert mine.ends_s.max() == pytest.approx(duration_s)
    by_label = found.windows_of_labels(np.concatenate([labels[::-1], [10**12]]))
    halves = windows.taken(np.arange(3, 8)).joined(windows.taken(np.arange(3)))
    for other in (by_label, halves):
        for column in ("labels", "files", "starts_s", "ends_s"):
            assert getattr(other, column).tolist() == getattr(windows, column).tolist()
    exists, vectors = found.known_vectors(np.append(labels[::-1], 10**12))
    assert exists.tolist() == [True] * len(labels) + [False]
    stored = dict(rows(filled, "SELECT id, vector FROM embeddings"))
    assert vectors.dtype == np.float32
    for label, vector in zip(labels[::-1], vectors, strict=True):
        assert vector.astype("<f2").tobytes() == stored[int(label)]


def test_that_labels_of_another_model_stay_out(filled):
    found = Repository(filled, model_id="other-1.0.0", dimension=16)
    assert len(found.labels_of_files(found.file_ids_where())) == 0
    assert len(found.windows_of_files(found.file_ids_where())) == 0
    assert found.file_vector(1) is None


def test_that_nothing_is_asked_for_without_harm(filled):
    found = Repository(filled, **MODEL)
    nothing = np.empty(0, dtype=np.int64)
    assert found.files_by_id([]) == {}
    assert found.files_by_path(nothing, limit=5) == []
    assert len(found.labels_of_files(nothing)) == 0
    assert len(found.windows_of_labels(nothing)) == len(found.windows_of_files(nothing)) == 0
    assert found.known_vectors(nothing)[1].shape == (0, 16)


def test_that_files_are_listed_by_path(filled):
    found = Repository(filled, **MODEL)
    listed = [
        f"{file.path.parent.name}/{file.path.name}" for file in found.files_by_path(found.file_ids_where(), limit=4)
    ]
    assert listed == ["far/Wind0.wav", "far/Wind2.wav", "far/Wind4.wav", "near/Wind1.wav"]


def test_that_a_path_leads_to_its_file_also_through_a_link(filled, sounds, tmp_path):
    found = Repository(filled, **MODEL)
    (tmp_path / "short").symlink_to(sounds / "near")
    file = found.file_at(tmp_path / "short" / "Wind3.wav")
    assert file is not None
    assert (file.path, file.state, file.is_offline) == (sounds / "near" / "Wind3.wav", FileState.READY, False)
    assert found.file_at(sounds / "near" / "nothing.wav") is None
    assert found.file_at(tmp_path / "elsewhere.wav") is None


def test_that_full_text_gives_the_best_first_with_its_text(filled):
    with filled.write() as session:
        file = session.query(File).filter_by(name="Wind2.wav").one()
        session.add(Caption(file_id=file.id, text="a near storm, near and nearer", origin="user", added_at=0.0))
        session.flush()
        refresh_captions(session.connection(), [file.id])
    found = Repository(filled, **MODEL).full_text("near", limit=5)
    assert [names(filled, [file_id]).pop() for file_id, _ in found[:1]] == ["Wind2.wav"]
    assert len(found) == 3
    texts = dict(zip(TEXT_COLUMNS, found[0][1], strict=True))
    assert texts == {
        "name": "Wind2.wav Wind 2.wav",
        "folder": "far",
        "metadata": "",
        "captions": "a near storm, near and nearer",
    }
    assert len(Repository(filled, **MODEL).full_text("wind*", limit=2)) == 2


@pytest.mark.parametrize("words", ['"', "a AND", "nofield:x", "*", "(", ""])
def test_that_an_expression_that_makes_no_sense_is_the_users_to_mend(filled, words):
    with pytest.raises(QueryError):
        Repository(filled, **MODEL).full_text(words, limit=5)
    with pytest.raises(QueryError):
        Repository(filled, **MODEL).full_text_ids(words)


def test_that_text_is_found_whatever_its_case_and_accents(catalogue, sounds):
    (sounds / "Türen").mkdir()
    (sounds / "Türen" / "Knarren_ALT.wav").touch()
    scan_all(catalogue, sounds)
    found = Repository(catalogue, **MODEL)
    for words in ("turen", "TÜREN", "knarren", "alt", "knarr*"):
        assert len(found.full_text_ids(words)) == 1, words


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("DoorSlam01", "Door Slam 01"),
        ("DOORWood", "DOOR Wood"),
        ("heavy_rain", None),
        ("MP3File", "MP 3 File"),
        ("Geräusch2Ölfass", "Geräusch 2 Ölfass"),
        ("already apart", None),
    ],
)
def test_that_names_in_camel_case_are_taken_apart(name, parts):
    assert searchable(name) == (name if parts is None else f"{name} {parts}")


def test_that_a_path_is_described():
    text = describe_path(f"Old House{os.sep}DOORWood-Cabin_Creak_XY_LIB.WAV")
    assert (text.folder, text.name, text.extension) == ("Old House", "DOORWood-Cabin_Creak_XY_LIB.WAV", "wav")
    assert text.ucs_cat_id == "DOORWood"
    odd = describe_path(os.fsdecode(b"a\xff/b\xfe"))
    assert (odd.display_path, odd.extension, odd.ucs_cat_id) == ("a\ufffd/b\ufffd", "", None)


def test_that_vectors_are_read_in_portions(filled):
    source = CatalogueVectors(filled, **MODEL)
    assert (source.model_id, source.dimension, source.count()) == ("bands-1.0.0", 16, 1 + 2 + 3 + 4 + 5)
    labels, vectors, row = [], [], 0
    while True:
        some, some_vectors = source.rows_after(row, 4)
        if not len(some):
            break
        assert len(some) <= 4
        labels.extend(some.tolist())
        vectors.append(some_vectors)
        row = labels[-1]
    assert labels == sorted(labels)
    assert len(labels) == 15
    assert source.last_row() == labels[-1]
    found = Repository(filled, **MODEL)
    assert np.array_equal(np.concatenate(vectors), found.known_vectors(np.array(labels))[1])
    assert np.linalg.norm(np.concatenate(vectors), axis=1) == pytest.approx(1.0, abs=2e-3)


def test_that_an_empty_source_is_empty(catalogue):
    source = CatalogueVectors(catalogue, **MODEL)
    labels, vectors = source.rows_after(0, 10)
    assert (source.count(), source.last_row(), len(labels), vectors.shape) == (0, 0, 0, (0, 16))
    assert source.removed_after(0)[1] == 0


def test_that_labels_are_never_used_twice(filled):
    source = CatalogueVectors(filled, **MODEL)
    last = source.last_row()
    with filled.write() as session:
        session.connection().exec_driver_sql("DELETE FROM files")
    assert (source.count(), source.last_row()) == (0, 0)
    removed, seq = source.removed_after(0)
    assert (len(removed), seq) == (15, 15)
    index_all(filled)
    assert source.rows_after(0, 1)[0][0] == last + 1


def test_that_many_threads_may_read_at_once(filled):
    found, source = Repository(filled, **MODEL), CatalogueVectors(filled, **MODEL)
    ids = found.file_ids_where()
    expected = found.labels_of_files(ids)
    wrong: list[object] = []

    def read() -> None:
        for _ in range(20):
            if not np.array_equal(found.labels_of_files(ids), expected) or source.count() != 15:
                wrong.append("count")
            if found.available_count() != 5 or len(found.known_vectors(expected)[1]) != 15:
                wrong.append("vectors")

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_that_statistics_count_files_windows_and_hours(filled, sounds):
    (sounds / "bad.wav").write_bytes(b"nothing of use")
    (sounds / "near" / "Wind1.wav").unlink()
    index_all(filled)
    found = library_statistics(filled)
    (root,) = found.roots
    assert root.files == {FileState.READY: 4, FileState.SKIPPED: 1, FileState.MISSING: 1, FileState.SCANNED: 0}
    assert found.files(FileState.READY) == 4
    assert found.duration_s == pytest.approx(1.0 + 2.0 + 2.5 + 3.0)
    assert (found.windows, found.files_by_model) == ({"bands-1.0.0": 15}, {"bands-1.0.0": 5})


def test_that_changed_files_are_named(filled, sounds):
    assert list(changed_files(filled)) == []
    (sounds / "near" / "Wind1.wav").unlink()
    os.utime(sounds / "far" / "Wind0.wav", ns=(1, 1))
    assert {path.name for path in changed_files(filled)} == {"Wind0.wav", "Wind1.wav"}


def test_that_missing_embeddings_and_references_are_noticed(filled):
    assert check_integrity(filled).is_sound
    with filled.write() as session:
        session.connection().exec_driver_sql("DELETE FROM embeddings WHERE id = 3")
    assert check_integrity(filled).incomplete_files == 1
    with filled.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute("DELETE FROM windows WHERE id = (SELECT window_id FROM embeddings LIMIT 1)")
        cursor.execute("PRAGMA foreign_keys = ON")
    assert check_integrity(filled).broken_references == 1
