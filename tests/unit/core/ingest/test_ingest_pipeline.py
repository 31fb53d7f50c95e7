"""Indexing as a job: its events, its windows, what disturbs it and how it ends."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from small_library import RATE_HZ, BandCard, BandEncoder, index_all, rows, scan_all, states, write_sound

from core.catalogue import Catalogue
from core.catalogue.statistic import check_integrity, skipped_items
from core.encoders.windows import plan_windows
from core.errors import CancelledError, LibraryBusyError, LibraryError, ModelError
from core.ingest import pipeline, worker
from core.ingest.embedding import SharedEmbedder
from core.ingest.pipeline import ingest
from core.jobs import CancelToken, Notice, Progress, Skipped
from core.jobs.clock import StageClock

PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)


def reasons(catalogue) -> dict[str, str]:
    return {item.path.name: item.reason for item in skipped_items(catalogue)}


def make_many(sounds, count: int = 12, **options) -> None:
    for seed in range(count):
        write_sound(sounds / f"{seed:02}.wav", seed, **options)


def after_reading(monkeypatch, name: str, disturb) -> None:
    """Have something happen to one file between its decoding and its second look."""
    read = worker.Worker._read

    def disturbed(self, path):
        try:
            return read(self, path)
        finally:
            if path.name == name:
                disturb(path)

    monkeypatch.setattr(worker.Worker, "_read", disturbed)


def test_that_a_file_is_stored_whole(catalogue, sounds):
    write_sound(sounds / "a.wav", 1, duration_s=2.3, rate_hz=44_100, channels=2)
    clock = StageClock()
    scan_all(catalogue, sounds)
    list(ingest(catalogue, BandEncoder(), cancel=CancelToken(), clock=clock))
    columns = "state, container, encoding, sample_rate_hz, channels, bit_depth, duration_s, length(content_hash)"
    assert rows(catalogue, f"SELECT {columns} FROM files") == [
        ("ready", "wav", "PCM_16", 44_100, 2, 16, pytest.approx(2.3), 16)
    ]
    ((peak_db, loudness_lufs),) = rows(catalogue, "SELECT peak_db, loudness_lufs FROM files")
    samples, _ = soundfile.read(sounds / "a.wav")
    assert peak_db == pytest.approx(20 * np.log10(np.abs(samples).max()), abs=0.01)
    assert -30 < loudness_lufs < 0
    assert {"hash", "metadata", "decode", "observe", "mix", "resample", "mel", "encode", "store"} <= set(clock.seconds)


def test_that_words_inside_a_file_can_be_searched(catalogue, sounds):
    with soundfile.SoundFile(sounds / "a.flac", "w", RATE_HZ, 1) as file:
        file.title = "Zeppelin over water"
        file.write(0.1 * np.random.default_rng(0).standard_normal(RATE_HZ))
    index_all(catalogue, sounds)
    assert ("Zeppelin over water",) in rows(catalogue, "SELECT value FROM metadata_fields")
    assert rows(catalogue, "SELECT rowid FROM file_text WHERE file_text MATCH 'metadata:zeppelin'") == [(1,)]


@pytest.mark.parametrize("duration_s", [0.05, 0.99, 1.0, 1.004, 1.5, 1.73, 2.0, 5.21, 31.0])
def test_that_windows_cover_the_whole_sound_as_planned(catalogue, sounds, duration_s):
    path = write_sound(sounds / "a.wav", 1, duration_s=duration_s)
    encoder = BandEncoder()
    index_all(catalogue, sounds, encoder=encoder)
    found = rows(
        catalogue, "SELECT start_s, end_s, vector FROM windows w JOIN embeddings ON window_id = w.id ORDER BY 1"
    )
    samples, _ = soundfile.read(path, dtype="float32")
    frames = encoder.features(samples)
    plan = plan_windows(len(frames), 100, 50)
    assert [start_s for start_s, _, _ in found] == pytest.approx([start / 100 for start, _ in plan])
    assert found[0][0] == 0.0
    assert found[-1][1] == pytest.approx(duration_s)
    assert all(after[0] <= before[1] for before, after in pairwise(found))
    vectors = np.stack([np.frombuffer(blob, dtype="<f2") for _, _, blob in found]).astype(np.float32)
    assert vectors == pytest.approx(encoder.embed_features([frames[a:b] for a, b in plan]), abs=1e-3)
    ((whole,),) = rows(catalogue, "SELECT vector FROM file_embeddings")
    mean = np.array([end_s - start_s for start_s, end_s, _ in found]) @ vectors
    assert np.frombuffer(whole, dtype="<f2") == pytest.approx(mean / np.linalg.norm(mean), abs=2e-3)


def test_that_a_long_file_is_embedded_in_small_groups(catalogue, sounds, monkeypatch):
    sizes: list[int] = []
    embed = BandEncoder.embed_features
    monkeypatch.setattr(BandEncoder, "embed_features", lambda self, w: sizes.append(len(w)) or embed(self, w))
    write_sound(sounds / "long.wav", 1, duration_s=300.0)
    index_all(catalogue, sounds)
    assert sum(sizes) == 599
    assert max(sizes) <= 16


def test_that_a_long_file_needs_no_more_memory_than_a_short_one(catalogue, sounds):
    peaks = []
    for number, duration_s in enumerate((30.0, 600.0)):
        write_sound(sounds / f"{number}.wav", number, duration_s=duration_s)
        scan_all(catalogue, sounds)
        tracemalloc.start()
        list(ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs=1))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert rows(catalogue, "SELECT count(*) FROM windows") == [(59 + 1_199,)]
    # The long one's samples alone are 19 MB; what may grow is its vectors.
    assert peaks[1] < peaks[0] + 3e6


def test_that_progress_counts_every_file_and_its_sound(catalogue, sounds):
    make_many(sounds, 10, duration_s=0.5)
    (sounds / "bad.wav").write_bytes(PNG)
    events = [event for event in index_all(catalogue, sounds) if getattr(event, "stage", "") == "index"]
    assert sorted({event.done for event in events}) == list(range(12))
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert {event.total for event in events} == {11}
    assert events[-1].audio_s == pytest.approx(5.0)


def test_that_files_without_use_are_skipped_with_reasons_and_not_tried_again(catalogue, sounds, monkeypatch):
    (sounds / "empty.wav").touch()
    (sounds / "picture.wav").write_bytes(PNG)
    write_sound(sounds / "good.wav", 1)
    events = index_all(catalogue, sounds)
    assert {event.path for event in events if isinstance(event, Skipped)} == {
        str(sounds / "empty.wav"),
        str(sounds / "picture.wav"),
    }
    assert set(reasons(catalogue)) == {"empty.wav", "picture.wav"}
    assert reasons(catalogue)["empty.wav"] == "The file is empty."
    assert index_all(catalogue)[-1] == Progress("index", 0, 0)
    shutil.copy(sounds / "good.wav", sounds / "empty.wav")
    index_all(catalogue)
    assert set(reasons(catalogue)) == {"picture.wav"}


def test_that_a_file_that_grows_while_it_is_read_is_tried_again(catalogue, sounds, monkeypatch):
    path = write_sound(sounds / "a.wav", 1)

    def grow(path):
        stamp = path.stat()
        with path.open("ab") as file:
            file.write(bytes(100))
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    with monkeypatch.context() as meanwhile:
        after_reading(meanwhile, "a.wav", grow)
        index_all(catalogue, sounds)
    assert "changed while it was being read" in reasons(catalogue)["a.wav"]
    assert rows(catalogue, "SELECT count(*) FROM embeddings") == [(0,)]
    write_sound(path, 1)
    index_all(catalogue)
    assert states(catalogue) == {"a.wav": "ready"}


def test_that_a_file_that_vanishes_while_it_is_read_is_missing(catalogue, sounds, monkeypatch):
    make_many(sounds, 3)
    after_reading(monkeypatch, "01.wav", os.unlink)
    index_all(catalogue, sounds)
    assert states(catalogue) == {"00.wav": "ready", "01.wav": "missing", "02.wav": "ready"}


def test_that_a_pipe_that_took_the_place_of_a_file_does_not_block(catalogue, sounds):
    path = write_sound(sounds / "a.wav", 1)
    scan_all(catalogue, sounds)
    path.unlink()
    os.mkfifo(path)
    list(ingest(catalogue, BandEncoder(), cancel=CancelToken()))
    assert "pipe" in reasons(catalogue)["a.wav"]


def test_that_files_of_a_volume_that_goes_away_meanwhile_wait(catalogue, sounds, tmp_path):
    make_many(sounds, 5)
    scan_all(catalogue, sounds)
    sounds.rename(tmp_path / "unplugged")
    events = list(ingest(catalogue, BandEncoder(), cancel=CancelToken()))
    assert len([event for event in events if isinstance(event, Notice)]) == 1
    assert set(states(catalogue).values()) == {"scanned"}
    (tmp_path / "unplugged").rename(sounds)
    index_all(catalogue)
    assert set(states(catalogue).values()) == {"ready"}


def test_that_a_file_without_permission_keeps_what_is_known_and_is_tried_at_every_scan(catalogue, sounds, monkeypatch):
    path = write_sound(sounds / "a.wav", 1)
    index_all(catalogue, sounds)
    os.utime(path, ns=(7, 7))
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(worker, "content_hash", _forbidden)
        index_all(catalogue)
    assert reasons(catalogue) == {"a.wav": "The file cannot be read: Permission denied."}
    assert rows(catalogue, "SELECT count(*) FROM embeddings") == [(1,)]
    encoder = BandEncoder()
    index_all(catalogue, encoder=encoder)
    assert states(catalogue) == {"a.wav": "ready"}
    assert encoder.embedded_windows == 0


def _forbidden(path, *, check):
    raise PermissionError(13, "Permission denied", str(path))


def test_that_a_bug_in_one_file_stops_no_other(catalogue, sounds, monkeypatch, caplog):
    make_many(sounds, 4)

    def fail(path):
        raise ZeroDivisionError("by a bug")

    after_reading(monkeypatch, "02.wav", fail)
    with caplog.at_level(logging.ERROR):
        index_all(catalogue, sounds)
    assert reasons(catalogue) == {"02.wav": "The file could not be indexed: ZeroDivisionError: by a bug"}
    assert "Traceback" in caplog.text
    assert sorted(states(catalogue).values()) == ["ready"] * 3 + ["skipped"]


def test_that_an_encoder_that_fails_ends_the_job_and_blames_no_file(catalogue, sounds, monkeypatch):
    make_many(sounds, 8)
    embed = BandEncoder.embed_features
    calls: list[int] = []

    def fail_late(self, windows):
        calls.append(1)
        if len(calls) > 3:
            raise ModelError("The model is damaged.")
        return embed(self, windows)

    monkeypatch.setattr(BandEncoder, "embed_features", fail_late)
    with pytest.raises(ModelError):
        index_all(catalogue, sounds, jobs=1)
    assert sorted(states(catalogue).values()) == ["ready"] * 3 + ["scanned"] * 5


@pytest.mark.parametrize("way", ["cancel", "close", "interrupt"])
def test_that_what_was_finished_is_kept_however_the_job_is_stopped(catalogue, sounds, way):
    make_many(sounds, 30)
    scan_all(catalogue, sounds)
    cancel = CancelToken()
    threads = threading.active_count()
    job = ingest(catalogue, BandEncoder(), cancel=cancel, jobs=2)
    done = 0
    while done < 8:
        done = next(job).done
    if way == "cancel":
        cancel.cancel()
        with pytest.raises(CancelledError):
            list(job)
    elif way == "close":
        job.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            job.throw(KeyboardInterrupt)
    ready = list(states(catalogue).values()).count("ready")
    assert 8 <= ready < 30
    assert threading.active_count() == threads
    assert check_integrity(catalogue).is_sound
    encoder = BandEncoder()
    index_all(catalogue, encoder=encoder)
    assert encoder.embedded_windows == 30 - ready
    assert set(states(catalogue).values()) == {"ready"}


def test_that_a_long_file_can_be_cancelled_in_its_middle(catalogue, sounds, monkeypatch):
    write_sound(sounds / "long.wav", 1, duration_s=400.0)
    scan_all(catalogue, sounds)
    cancel = CancelToken()
    embed = BandEncoder.embed_features

    def cancel_early(self, windows):
        cancel.cancel()
        return embed(self, windows)

    monkeypatch.setattr(BandEncoder, "embed_features", cancel_early)
    encoder = BandEncoder()
    with pytest.raises(CancelledError):
        list(ingest(catalogue, encoder, cancel=cancel))
    assert encoder.embedded_windows < 100
    assert states(catalogue) == {"long.wav": "scanned"}


def test_that_batches_are_stored_while_the_job_goes_on(catalogue, sounds, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH_FILES", 5)
    make_many(sounds, 23)
    scan_all(catalogue, sounds)
    ready = []
    for _ in ingest(catalogue, BandEncoder(), cancel=CancelToken()):
        ready.append(list(states(catalogue).values()).count("ready"))
    assert ready == sorted(ready)
    assert set(ready) - {0, 23}


def test_that_a_disk_that_is_full_halfway_keeps_the_batches_before(catalogue, sounds, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH_FILES", 4)
    make_many(sounds, 24, duration_s=12.0)
    scan_all(catalogue, sounds)
    connect, pages = sqlite3.connect, rows(catalogue, "PRAGMA page_count")[0][0]

    def connect_small(*arguments, **options) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.execute(f"PRAGMA max_page_count = {pages + 12}")
        return connection

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(sqlite3, "connect", connect_small)
        with Catalogue.open(catalogue.folder) as small, pytest.raises(LibraryError, match="disk is full"):
            list(ingest(small, BandEncoder(), cancel=CancelToken()))
    found = list(states(catalogue).values())
    assert 4 <= found.count("ready") < 24
    assert set(found) == {"ready", "scanned"}
    index_all(catalogue)
    assert set(states(catalogue).values()) == {"ready"}
    assert check_integrity(catalogue).is_sound


def test_that_jobs_is_the_number_of_workers(catalogue, sounds):
    make_many(sounds, 12)
    encoder = BandEncoder()
    index_all(catalogue, sounds, encoder=encoder, jobs=3)
    assert encoder.prepared_threads == 3


def test_that_a_shared_encoder_gives_the_same_library(catalogue, sounds, tmp_path):
    make_many(sounds, 20, duration_s=3.3)
    scan_all(catalogue, sounds)
    list(ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs=4, share_encoder=True))
    vectors = (
        "SELECT name, start_s, vector FROM files f JOIN windows w ON w.file_id = f.id "
        "JOIN embeddings e ON e.window_id = w.id ORDER BY 1, 2"
    )
    shared = rows(catalogue, vectors)
    with catalogue.write() as session:
        session.connection().exec_driver_sql("DELETE FROM models")
    index_all(catalogue)
    assert len(shared) == 20 * 6
    for (*place, blob), (*other_place, other_blob) in zip(shared, rows(catalogue, vectors), strict=True):
        assert place == other_place
        assert np.frombuffer(blob, "<f2") == pytest.approx(np.frombuffer(other_blob, "<f2"), abs=1e-3)


def test_that_a_shared_encoder_joins_what_waits_and_gives_each_its_own():
    entered, go_on = threading.Event(), threading.Event()
    sizes: list[int] = []

    class Slow(BandEncoder):
        def embed_features(self, windows):
            sizes.append(len(windows))
            entered.set()
            assert go_on.wait(10)
            return np.stack([frames[0] for frames in windows])

    windows = [np.full((1, 3), number, dtype=np.float32) for number in range(40)]
    with SharedEmbedder(Slow(), most_windows=16) as embedder:
        first = embedder.submit(windows[:1])
        assert entered.wait(10)
        later = [embedder.submit(windows[number : number + 3]) for number in range(1, 31, 3)]
        go_on.set()
        assert first.result().tolist() == [[0, 0, 0]]
        for number, result in zip(range(1, 31, 3), later, strict=True):
            assert result.result()[:, 0].tolist() == [number, number + 1, number + 2]
    assert sizes == [1, 18, 12]


def test_that_a_shared_encoder_tells_all_who_wait_when_it_fails():
    class Broken(BandEncoder):
        def embed_features(self, windows):
            raise ModelError("out of order")

    with SharedEmbedder(Broken()) as embedder, ThreadPoolExecutor(4) as pool:
        waiting = list(pool.map(lambda _: embedder.submit([np.zeros((1, 3), np.float32)]), range(8)))
        for result in waiting:
            with pytest.raises(ModelError):
                result.result()


def test_that_two_jobs_cannot_run_at_once(catalogue, sounds):
    make_many(sounds, 2)
    scan_all(catalogue, sounds)
    job = ingest(catalogue, BandEncoder(), cancel=CancelToken())
    next(job)
    with Catalogue.open(catalogue.folder) as second, pytest.raises(LibraryBusyError):
        next(ingest(second, BandEncoder(), cancel=CancelToken()))
    job.close()


def test_that_a_model_of_another_dimension_under_the_same_name_is_refused(catalogue, sounds):
    make_many(sounds, 1)
    index_all(catalogue, sounds)
    with pytest.raises(LibraryError, match="another id"):
        index_all(catalogue, encoder=BandEncoder(BandCard(dimension=99)))
