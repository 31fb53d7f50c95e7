"""A process that indexes is killed at random moments; the library must not mind."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.catalogue import Catalogue
from core.catalogue.location import DATABASE_NAME
from core.catalogue.statistic import check_integrity
from core.errors import LibraryError

TESTS = Path(__file__).parents[1]
FILES = 300
KILLS = 20
BATCH_FILES = 8
WORKERS = 2

INDEX = f"""
import sys
from pathlib import Path
from small_library import BandEncoder, Catalogue, CancelToken, add_root, ingest, scan
from core.ingest import pipeline

pipeline.BATCH_FILES = {BATCH_FILES}
library, sounds = map(Path, sys.argv[1:])
print("begun", flush=True)
with Catalogue.open(library) as catalogue:
    with catalogue.write() as session:
        add_root(session, sounds)
    for event in scan(catalogue, cancel=CancelToken()):
        print("scan", flush=True)
    for event in ingest(catalogue, BandEncoder(), cancel=CancelToken(), jobs={WORKERS}):
        print(event.stage, event.done, flush=True)
print("finished", flush=True)
"""

CONTENT = """
SELECT f.relative_path, f.state, f.size, f.mtime_ns, f.content_hash, f.duration_s, f.loudness_lufs,
       w.start_s, w.end_s, e.model_id, e.vector, v.vector
FROM files f JOIN windows w ON w.file_id = f.id JOIN embeddings e ON e.window_id = w.id
JOIN file_embeddings v ON v.file_id = f.id ORDER BY f.relative_path, w.start_s
"""

TEXT = """
SELECT f.relative_path, t.name, t.folder, t.metadata
FROM file_text t JOIN files f ON f.id = t.rowid ORDER BY f.relative_path
"""


def start(library: Path, sounds: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS / "helpers")])
    return subprocess.Popen(
        [sys.executable, "-c", INDEX, str(library), str(sounds)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def run_until(library: Path, sounds: Path, lines: int, delay_s: float) -> list[str]:
    """Index, and kill the process a moment after it has said so many lines; everything that it had said by then."""
    process = start(library, sounds)
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line.strip())
            if len(said) == lines:
                break
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            process.kill()
        # What it said between the last line read and its death counts too.
        said += [line.strip() for line in process.stdout if line.endswith("\n")]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return said


def query(library: Path, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(library / DATABASE_NAME)) as connection:
        return connection.execute(statement).fetchall()


def count_ready(library: Path) -> int:
    """Check that the library is sound, and count the files that are indexed."""
    with Catalogue.open(library) as catalogue:
        report = check_integrity(catalogue)
        assert report.is_sound, report
    for table, columns in (
        ("files", "root_id, relative_path"),
        ("windows", "file_id, start_s, end_s"),
        ("embeddings", "window_id, model_id"),
    ):
        assert query(library, f"SELECT {columns} FROM {table} GROUP BY {columns} HAVING count(*) > 1") == []
    # 1 s windows every half second: each indexed file has all that its length asks for, any other has none.
    wrong = query(
        library,
        "SELECT display_path, state, duration_s, count(w.id) AS n FROM files f LEFT JOIN windows w "
        "ON w.file_id = f.id GROUP BY f.id HAVING n <> CASE WHEN state = 'ready' "
        "THEN 1 + max(0, CAST(ceil((duration_s - 1) * 2) AS INT)) ELSE 0 END",
    )
    assert wrong == []
    assert query(library, "SELECT count(*) FROM files") == query(library, "SELECT count(*) FROM file_text")
    return query(library, "SELECT count(*) FROM files WHERE state = 'ready'")[0][0]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reliability") / "sounds"
    rng = np.random.default_rng(0)
    for number in range(FILES):
        path = folder / f"folder{number % 7}" / f"{number:03}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, 400 * int(rng.integers(4, 60))), 8_000, subtype="PCM_16")
    return folder


@pytest.mark.slow
def test_that_a_killed_process_leaves_a_library_that_goes_on_where_it_stopped(sounds, tmp_path):
    library = tmp_path / "killed-0"
    dice = random.Random(2)
    ready = killed = 0
    while killed < KILLS:
        said = run_until(library, sounds, lines=dice.randint(1, 14), delay_s=dice.uniform(0.0, 0.02))
        done = max((int(line.split()[1]) for line in said if line.startswith("index")), default=0)
        before, ready = ready, count_ready(library)
        # At most the batch that was being gathered, and what the workers handed in at that moment, is lost.
        assert ready >= before + done - BATCH_FILES - 4 * WORKERS
        if said[-1] == "finished":  # on a fast machine: begin anew
            library, ready = tmp_path / f"killed-{killed}", 0
        else:
            killed += 1

    assert run_until(library, sounds, lines=10 * FILES, delay_s=60.0)[-1] == "finished"
    assert count_ready(library) == FILES
    peaceful = tmp_path / "peaceful"
    assert run_until(peaceful, sounds, lines=10 * FILES, delay_s=60.0)[-1] == "finished"
    assert query(library, CONTENT) == query(peaceful, CONTENT)
    assert query(library, TEXT) == query(peaceful, TEXT)
    # Nothing was embedded and thrown away.
    assert query(library, "SELECT count(*) FROM removed_embeddings") == [(0,)]


def test_that_a_process_killed_while_it_makes_a_library_leaves_one_that_opens(sounds, tmp_path):
    dice = random.Random(3)
    for attempt in range(4):
        library = tmp_path / str(attempt)
        run_until(library, sounds, lines=1, delay_s=dice.uniform(0.0, 0.25))
        if not (library / DATABASE_NAME).exists():
            with pytest.raises(LibraryError, match="no library"):
                Catalogue.open(library, read_only=True)
        count_ready(library)
