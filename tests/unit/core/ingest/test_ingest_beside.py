"""Indexing that is held, and indexing beside scans."""

from __future__ import annotations

import threading

import pytest
from small_library import BandEncoder, rows, scan_all, states, write_sound

from core.errors import CancelledError
from core.ingest.pipeline import ingest
from core.jobs import CancelToken, PauseToken, Progress


def test_that_a_held_job_stores_what_is_finished_and_goes_on_where_it_stood(catalogue, sounds):
    for number in range(30):
        write_sound(sounds / f"{number:02}.wav", number, duration_s=0.3)
    scan_all(catalogue, sounds)
    pause = PauseToken()
    run = ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs=2, pause=pause)
    while next(run).done < 5:
        pass
    pause.pause()
    # What was taken before is handed out, then comes the report of what was stored; behind it the job waits.
    while not (event := next(run)).files:
        pass
    stored = {file_id for file_id, state in rows(catalogue, "SELECT id, state FROM files") if state == "ready"}
    assert set(event.files) == stored
    assert 5 <= len(stored) < 30
    rest: list[Progress] = []
    waiting = threading.Thread(target=lambda: rest.extend(run))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert rest == []
    pause.resume()
    waiting.join(60)
    assert rest[-1].done == rest[-1].total == 30
    assert set(states(catalogue).values()) == {"ready"}


def test_that_a_held_job_can_be_stopped(catalogue, sounds):
    for number in range(12):
        write_sound(sounds / f"{number:02}.wav", number, duration_s=0.3)
    scan_all(catalogue, sounds)
    pause, cancel = PauseToken(), CancelToken()
    pause.pause()
    run = ingest(catalogue, BandEncoder(), cancel=cancel, jobs=2, pause=pause)
    assert next(run).total == 12
    assert next(run).done <= 8
    cancel.cancel()
    with pytest.raises(CancelledError):
        list(run)
    assert set(states(catalogue).values()) <= {"ready", "scanned"}


def test_that_what_a_scan_finds_meanwhile_is_indexed_as_well(catalogue, sounds):
    for number in range(4):
        write_sound(sounds / f"{number}.wav", number, duration_s=0.3)
    scan_all(catalogue, sounds)
    run = ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs=1)
    assert next(run).total == 4
    write_sound(sounds / "late.wav", 99)
    scan_all(catalogue)
    events = [event for event in run if isinstance(event, Progress)]
    assert (events[-1].done, events[-1].total) == (5, 5)
    assert states(catalogue)["late.wav"] == "ready"
    assert {file_id for event in events for file_id in event.files} == {1, 2, 3, 4, 5}


def test_that_a_file_that_stays_unreachable_does_not_keep_the_job_busy_for_ever(catalogue, sounds, monkeypatch):
    write_sound(sounds / "a.wav", 1)
    scan_all(catalogue, sounds)
    sounds.rename(sounds.with_name("away"))
    events = list(ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs=1))
    assert states(catalogue) == {"a.wav": "scanned"}
    assert any("cannot be reached" in getattr(event, "message", "") for event in events)


def test_that_marks_follow_a_moved_file_and_the_better_ones_win(catalogue, sounds):
    write_sound(sounds / "a.wav", 1)
    scan_all(catalogue, sounds)
    list(ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs=1))
    with catalogue.write() as session:
        run = session.connection().exec_driver_sql
        run("UPDATE files SET rating = 4")
        run(
            "INSERT INTO captions (file_id, text, origin, model_id, added_at) "
            "VALUES (1, 'a model said', 'model', 'm', 0)"
        )
    (sounds / "a.wav").rename(sounds / "b.wav")
    scan_all(catalogue)
    with catalogue.write() as session:
        run = session.connection().exec_driver_sql
        run("UPDATE files SET rating = 2, is_favourite = 1 WHERE name = 'b.wav'")
        run(
            "INSERT INTO captions (file_id, text, origin, added_at) SELECT id, 'i said', 'user', 0 FROM files "
            "WHERE name = 'b.wav'"
        )
    list(ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs=1))
    assert rows(catalogue, "SELECT id, name, rating, is_favourite FROM files") == [(1, "b.wav", 4, 1)]
    assert rows(catalogue, "SELECT file_id, text, origin FROM captions") == [(1, "i said", "user")]
    assert rows(catalogue, "SELECT rowid FROM file_text WHERE file_text MATCH 'captions:said'") == [(1,)]
    assert rows(catalogue, "SELECT file_id FROM peaks") == [(1,)]
