"""Files that are moved, renamed, copied, touched or replaced, and what becomes of what is known of them."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import soundfile
from small_library import RATE_HZ, BandCard, BandEncoder, index_all, rows, scan_all, states, write_sound

from core.catalogue.bulk import unpack_vectors
from core.catalogue.model import remove_model, stored_model_ids
from core.catalogue.models import Caption, Collection, CollectionFile, File, Tag
from core.catalogue.repository import Repository
from core.catalogue.root import list_roots
from core.catalogue.statistic import check_integrity
from core.catalogue.text import refresh_captions
from core.catalogue.vectors import CatalogueVectors
from core.ingest.pipeline import ingest
from core.ingest.scan import scan
from core.jobs import CancelToken

EMBEDDINGS = (
    "SELECT e.id, f.id, w.start_s, w.end_s, vector FROM embeddings e "
    "JOIN windows w ON w.id = window_id JOIN files f ON f.id = e.file_id ORDER BY 1"
)


def annotate(catalogue, name: str) -> None:
    """What a user, and a model, add to a file."""
    with catalogue.write() as session:
        file = session.query(File).filter_by(name=name).one()
        file.tags.append(Tag(name="favourite"))
        collection = Collection(name="game", added_at=0.0)
        session.add(collection)
        session.flush()
        session.add(CollectionFile(collection_id=collection.id, file_id=file.id, position=0))
        for text, origin in (("my old gate", "user"), ("a gate creaks", "model")):
            session.add(Caption(file_id=file.id, text=text, origin=origin, added_at=0.0))
        session.flush()
        refresh_captions(session.connection(), [file.id])


def annotations(catalogue) -> list[tuple]:
    """By name of file: tags, collections and captions."""
    return rows(
        catalogue,
        "SELECT name, (SELECT count(*) FROM file_tags t WHERE t.file_id = f.id), "
        "(SELECT count(*) FROM collection_files c WHERE c.file_id = f.id), "
        "(SELECT group_concat(text, '|') FROM captions c WHERE c.file_id = f.id) FROM files f ORDER BY name",
    )


@pytest.mark.parametrize("also_scan_between", [False, True])
def test_that_a_renamed_file_keeps_its_embedding(catalogue, sounds, also_scan_between):
    path = write_sound(sounds / "DOORWood_Old.wav", 1, duration_s=2.3)
    write_sound(sounds / "other.wav", 2)
    index_all(catalogue, sounds)
    annotate(catalogue, "DOORWood_Old.wav")
    before = rows(catalogue, EMBEDDINGS)
    (sounds / "new").mkdir()
    path.rename(sounds / "new" / "Fresh.wav")
    if also_scan_between:
        scan_all(catalogue)
    encoder = BandEncoder()
    index_all(catalogue, encoder=encoder)
    assert encoder.embedded_windows == 0
    assert states(catalogue) == {"new/Fresh.wav": "ready", "other.wav": "ready"}
    assert rows(catalogue, EMBEDDINGS) == before
    assert annotations(catalogue)[0] == ("Fresh.wav", 1, 1, "my old gate|a gate creaks")
    assert rows(catalogue, "SELECT count(*) FROM removed_embeddings") == [(0,)]
    found = Repository(catalogue, model_id="bands-1.0.0", dimension=16)
    for words, count in (("fresh", 1), ("old", 1), ("name:old", 0), ("folder:new", 1), ("doors", 0), ("creaks", 1)):
        assert len(found.full_text_ids(words)) == count, words


def test_that_a_file_moved_to_another_root_is_relinked_although_only_that_root_is_scanned(catalogue, sounds):
    for root in ("one", "two"):
        write_sound(sounds / root / f"stays{root}.wav", len(root))
    path = write_sound(sounds / "one" / "a.wav", 9)
    index_all(catalogue, sounds / "one", sounds / "two")
    annotate(catalogue, "a.wav")
    path.rename(sounds / "two" / "b.wav")
    with catalogue.session() as session:
        second = list_roots(session)[1]
    list(scan(catalogue, roots=[second], cancel=CancelToken()))
    encoder = BandEncoder()
    list(ingest(catalogue, encoder, cancel=CancelToken()))
    assert encoder.embedded_windows == 0
    assert annotations(catalogue)[0][:2] == ("b.wav", 1)
    assert set(states(catalogue)) == {"staysone.wav", "staystwo.wav", "b.wav"}


def test_that_what_the_user_hung_on_the_new_name_is_kept_too(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1)
    write_sound(sounds / "other.wav", 2)
    index_all(catalogue, sounds)
    path.rename(sounds / "b.wav")
    scan_all(catalogue)
    annotate(catalogue, "b.wav")
    index_all(catalogue)
    assert annotations(catalogue)[0] == ("b.wav", 1, 1, "my old gate|a gate creaks")
    assert len(annotations(catalogue)) == 2


def test_that_a_copy_has_embeddings_of_its_own_without_being_decoded(catalogue, sounds):
    write_sound(sounds / "a.wav", 1, duration_s=2.3)
    index_all(catalogue, sounds)
    annotate(catalogue, "a.wav")
    shutil.copy(sounds / "a.wav", sounds / "copy.wav")
    encoder = BandEncoder()
    index_all(catalogue, encoder=encoder)
    assert encoder.embedded_windows == 0
    found = rows(catalogue, EMBEDDINGS)
    half = len(found) // 2
    assert half == 4
    assert [row[2:] for row in found[:half]] == [row[2:] for row in found[half:]]
    assert len({row[0] for row in found}) == len(found)
    assert [row[:2] for row in annotations(catalogue)] == [("a.wav", 1), ("copy.wav", 0)]
    columns = "duration_s, channels, container, peak_db, loudness_lufs, content_hash"
    assert len(set(rows(catalogue, f"SELECT {columns} FROM files"))) == 1
    # The copy outlives the original.
    (sounds / "a.wav").unlink()
    index_all(catalogue)
    assert states(catalogue) == {"a.wav": "missing", "copy.wav": "ready"}
    assert check_integrity(catalogue).is_sound


def test_that_of_two_copies_of_a_missing_file_one_is_the_file_and_one_is_a_copy(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1)
    write_sound(sounds / "other.wav", 2)
    index_all(catalogue, sounds)
    annotate(catalogue, "a.wav")
    shutil.copy(path, sounds / "b.wav")
    path.rename(sounds / "c.wav")
    index_all(catalogue)
    assert states(catalogue) == dict.fromkeys(("b.wav", "c.wav", "other.wav"), "ready")
    assert sorted(row[1] for row in annotations(catalogue)) == [0, 0, 1]
    assert check_integrity(catalogue).is_sound


def test_that_files_of_equal_size_and_beginning_are_told_apart(catalogue, sounds):
    silence = np.zeros(20 * RATE_HZ, dtype=np.float32)
    for name, level in (("a.wav", 0.1), ("b.wav", 0.2)):
        track = silence.copy()
        track[12 * RATE_HZ] = level
        soundfile.write(sounds / name, track, RATE_HZ)
    assert (sounds / "a.wav").stat().st_size == (sounds / "b.wav").stat().st_size
    index_all(catalogue, sounds)
    assert len(set(rows(catalogue, "SELECT content_hash FROM files"))) == 2
    (sounds / "a.wav").unlink()
    (sounds / "b.wav").rename(sounds / "c.wav")
    index_all(catalogue)
    assert states(catalogue) == {"a.wav": "missing", "c.wav": "ready"}


def test_that_changed_content_is_embedded_again_and_the_index_learns_of_it(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1, duration_s=2.3)
    index_all(catalogue, sounds)
    annotate(catalogue, "a.wav")
    vectors = CatalogueVectors(catalogue, model_id="bands-1.0.0", dimension=16)
    old_labels, old = vectors.rows_after(0, 100)
    write_sound(path, 2, duration_s=1.3)
    index_all(catalogue)
    new_labels, new = vectors.rows_after(int(old_labels[-1]), 100)
    assert (len(old), len(new), vectors.count()) == (4, 2, 2)
    removed, seq = vectors.removed_after(0)
    assert sorted(removed.tolist()) == old_labels.tolist()
    assert vectors.removed_after(seq) == (pytest.approx([]), seq)
    assert new_labels.min() > old_labels.max()
    assert vectors.last_row() == new_labels[-1]
    # The user's caption stays; the model's was about another sound.
    assert annotations(catalogue)[0] == ("a.wav", 1, 1, "my old gate")
    found = Repository(catalogue, model_id="bands-1.0.0", dimension=16)
    assert len(found.full_text_ids("captions:gate")) == 1
    assert len(found.full_text_ids("creaks")) == 0


def test_that_a_file_that_was_only_touched_is_not_decoded_again(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1)
    index_all(catalogue, sounds)
    before = rows(catalogue, EMBEDDINGS)
    os.utime(path, ns=(5, 5))
    encoder = BandEncoder()
    index_all(catalogue, encoder=encoder)
    assert encoder.embedded_windows == 0
    assert rows(catalogue, EMBEDDINGS) == before
    assert rows(catalogue, "SELECT state, mtime_ns FROM files") == [("ready", 5)]


def test_that_files_that_swap_their_names_swap_their_embeddings(catalogue, sounds):
    for seed, name in enumerate(("a.wav", "b.wav")):
        write_sound(sounds / name, seed)
        os.utime(sounds / name, ns=(seed, seed))
    index_all(catalogue, sounds)
    by_name = "SELECT name, vector FROM files f JOIN embeddings e ON e.file_id = f.id ORDER BY name"
    (_, first), (_, second) = rows(catalogue, by_name)
    (sounds / "a.wav").rename(sounds / "c")
    (sounds / "b.wav").rename(sounds / "a.wav")
    (sounds / "c").rename(sounds / "b.wav")
    index_all(catalogue, jobs=1)
    assert rows(catalogue, by_name) == [("a.wav", second), ("b.wav", first)]
    assert set(states(catalogue).values()) == {"ready"}
    assert check_integrity(catalogue).is_sound


def test_that_a_file_that_became_unusable_loses_its_embeddings_and_gets_new_ones_later(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1)
    sound = path.read_bytes()
    index_all(catalogue, sounds)
    path.write_bytes(sound[:60])
    index_all(catalogue)
    assert states(catalogue) == {"a.wav": "skipped"}
    assert rows(catalogue, "SELECT (SELECT count(*) FROM embeddings), content_hash, duration_s FROM files") == [
        (0, None, None)
    ]
    path.write_bytes(sound)
    index_all(catalogue)
    assert states(catalogue) == {"a.wav": "ready"}
    assert check_integrity(catalogue).is_sound


def test_that_another_model_is_added_beside_the_first_which_serves_on(catalogue, sounds):
    for seed in range(3):
        write_sound(sounds / f"{seed}.wav", seed, duration_s=1.7)
    index_all(catalogue, sounds)
    before = rows(catalogue, EMBEDDINGS)
    first = CatalogueVectors(catalogue, model_id="bands-1.0.0", dimension=16)
    newer = BandEncoder(BandCard(id="bands-2.0.0", dimension=24, window_s=0.5, hop_s=0.25))
    index_all(catalogue, encoder=newer)
    second = CatalogueVectors(catalogue, model_id="bands-2.0.0", dimension=24)
    assert first.rows_after(0, 100)[0].tolist() == [row[0] for row in before]
    assert second.rows_after(0, 100)[1].shape == (3 * 6, 24)
    assert first.count() == 3 * 3
    with catalogue.write() as session:
        assert stored_model_ids(session) == ("bands-1.0.0", "bands-2.0.0")
        remove_model(session, "bands-1.0.0")
    assert (first.count(), second.count()) == (0, 18)
    assert len(first.removed_after(0)[0]) == 9
    assert len(second.removed_after(0)[0]) == 0
    assert check_integrity(catalogue).is_sound


def test_that_a_file_moved_between_two_models_keeps_what_the_user_wrote(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1)
    write_sound(sounds / "other.wav", 2)
    index_all(catalogue, sounds)
    annotate(catalogue, "a.wav")
    path.rename(sounds / "b.wav")
    index_all(catalogue, encoder=BandEncoder(BandCard(id="bands-2.0.0")))
    assert annotations(catalogue)[0] == ("b.wav", 1, 1, "my old gate|a gate creaks")
    assert rows(catalogue, "SELECT model_id, count(*) FROM embeddings GROUP BY 1") == [
        ("bands-1.0.0", 2),
        ("bands-2.0.0", 2),
    ]
    assert check_integrity(catalogue).is_sound


def test_that_stored_vectors_are_the_encoders_to_half_precision(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1, duration_s=0.8)
    encoder = BandEncoder()
    index_all(catalogue, sounds, encoder=encoder)
    ((blob,),) = rows(catalogue, "SELECT vector FROM embeddings")
    samples, _ = soundfile.read(path, dtype="float32")
    expected = encoder.embed_audio([samples])
    assert unpack_vectors([blob], 16) == pytest.approx(expected, abs=1e-3)
