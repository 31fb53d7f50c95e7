"""What the window asks of the core, on a library of 200,000 files: lists, rows, peaks, counts, marks, and their memory.

Run as a script. The library is synthetic (no embeddings; names, metadata, peaks, tags and captions of the usual kind);
it is made by the first run and kept in `.cache/bench/`.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from material import CACHE, REPOSITORY
from row import BenchRow, show

from core.audio.peaks import Peaks
from core.audio.ucs import ucs_table
from core.catalogue.catalogue import Catalogue
from core.catalogue.migration import SCHEMA_VERSION
from core.library import Library

FILES, VISIBLE_ROWS = 200_000, 60
ROWS_TARGET_MS, PEAKS_TARGET_MS, LIST_TARGET_S, COUNT_TARGET_MS, MEMORY_TARGET_MIB = 10.0, 5.0, 1.0, 250.0, 200.0
_REPEATS = 15
SUBJECTS = "Door Gate Car Dog Bell Rain Wind Drum Glass Horse Train Crowd Engine Bird Water Fire Clock Siren".split()
ACTIONS = "Slams Creaks Passes Barks Rings Falls Howls Rolls Breaks Gallops Departs Cheers Idles Sings Drips".split()

_MEMORY_CHILD = """
import json, sys
from pathlib import Path
from core.library import Library

def resident_mib():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024

with Library.open(Path(sys.argv[1])) as library:
    library.rows(library.recent(60))
    before = resident_mib()
    ids = library.list_files(order="path")
    for start in range(0, len(ids), len(ids) // 200):
        library.rows(ids[start : start + 60])
        library.peaks(ids[start : start + 60])
    print(json.dumps({"before": before, "after": resident_mib(), "torch": "torch" in sys.modules}))
"""


def synthetic_desk() -> Path:
    """A library of 200,000 files as the window shows them."""
    folder = CACHE / f"desk-{SCHEMA_VERSION}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        with Catalogue.open(folder) as catalogue:
            _fill(catalogue)
        (folder / "complete").touch()
    return folder


def _fill(catalogue: Catalogue) -> None:
    rng = np.random.default_rng(4)
    categories = list(ucs_table())
    files, texts, peaks, captions, tags = [], [], [], [], []
    for file_id in range(1, FILES + 1):
        subject, action = str(rng.choice(SUBJECTS)), str(rng.choice(ACTIONS))
        category = str(rng.choice(categories))
        folder = f"{subject}s/Session {file_id // 400:03}"
        name = f"{category}_{subject} {action} Take {file_id % 400:03}_AB_Film.wav"
        path = f"{folder}/{name}"
        duration_s = round(float(rng.exponential(12.0)) + 0.3, 3)
        files.append(
            (
                *(file_id, path.encode(), path, folder, name, int(duration_s * 288_000), int(rng.integers(1 << 60))),
                *(file_id.to_bytes(16, "big"), float(rng.choice([44_100, 48_000, 96_000])), int(rng.integers(1, 3))),
                *(duration_s, float(-rng.exponential(6.0)), float(-40 + 30 * rng.random()), category),
                *(int(rng.integers(6)), bool(rng.random() < 0.02)),
            )
        )
        sentence = f"a {subject.lower()} {action.lower()} in a room"
        texts.append((file_id, name, folder, category, sentence))
        low = rng.integers(-127, 1, 256).astype(np.int8)
        peaks.append((file_id, Peaks(low, -low, duration_s).to_bytes()))
        if file_id % 2:
            captions.append((file_id, sentence, float(rng.random()), json.dumps([subject.lower(), action.lower()])))
        if not file_id % 10:
            tags.append((file_id, 1 + file_id // 10 % 40))
    with catalogue.writing_connection() as connection, connection.begin():
        run = connection.exec_driver_sql
        run("INSERT INTO roots VALUES (1, ?, '/sounds', 'online', 0)", (b"/sounds",))
        run(
            "INSERT INTO files (id, root_id, relative_path, display_path, folder, name, extension, size, mtime_ns, "
            "state, content_hash, container, encoding, sample_rate_hz, channels, bit_depth, duration_s, peak_db, "
            "loudness_lufs, ucs_cat_id, rating, is_favourite, added_at, indexed_at) "
            "VALUES (?, 1, ?, ?, ?, ?, 'wav', ?, ?, 'ready', ?, 'wav', 'PCM_24', ?, ?, 24, ?, ?, ?, ?, ?, ?, 0, 0)",
            files,
        )
        run("INSERT INTO file_text (rowid, name, folder, metadata, captions) VALUES (?, ?, ?, ?, ?)", texts)
        run("INSERT INTO peaks VALUES (?, ?)", peaks)
        run(
            "INSERT INTO captions (file_id, text, origin, model_id, confidence, tags, added_at) "
            "VALUES (?, ?, 'model', 'bench-1.0.0', ?, ?, 0)",
            captions,
        )
        run("INSERT INTO tags (id, name) VALUES (?, ?)", [(number, f"tag {number}") for number in range(1, 41)])
        run("INSERT INTO file_tags VALUES (?, ?)", tags)


def core_rows() -> list[BenchRow]:
    """Measure the core's side and return the table's lines."""
    folder = synthetic_desk()
    rng = np.random.default_rng(6)
    with Library.open(folder) as library:
        ids = library.list_files(order="path")
        starts = rng.integers(0, len(ids) - VISIBLE_ROWS, _REPEATS)
        pages = [ids[start : start + VISIBLE_ROWS] for start in starts]
        scattered = [rng.choice(ids, VISIBLE_ROWS, replace=False) for _ in range(_REPEATS)]
        found = [
            _timed("rows() of 60 neighbours", pages, library.rows, ROWS_TARGET_MS),
            _timed("rows() of 60 scattered files", scattered, library.rows, ROWS_TARGET_MS),
            _timed("peaks() of 60 files", scattered, library.peaks, PEAKS_TARGET_MS),
        ]
        for order in ("path", "name", "duration", "added", "rating", "caption"):
            found.append(_listed(library, f"list_files(order={order})", order=order))
        found.append(_listed(library, "list_files of favourites", "favourite:yes"))
        found.append(_listed(library, "list_files sorting 20,000 hits", among=ids[::10]))
        for name, work in (
            ("roots()", library.roots),
            ("ucs_counts()", library.ucs_counts),
            ("tags()", library.tags),
            ("recent(1000)", lambda: library.recent(1_000)),
            ("captions_pending()", library.captions_pending),
        ):
            found.append(_timed(name, [()] * 5, lambda _, work=work: work(), COUNT_TARGET_MS))
        found.append(_timed("set_rating() of 60 files", pages, lambda page: library.set_rating(page, 3), 50.0))
        found.append(_timed("add_tag() to 60 files", pages, lambda page: library.add_tag(page, "bench"), 100.0))
        library.remove_tag(ids, "bench")
    return [*found, _memory(folder)]


def _timed(name: str, inputs: list, work: Callable, target_ms: float) -> BenchRow:
    work(inputs[0])
    spent = []
    for one in inputs:
        started = time.perf_counter()
        work(one)
        spent.append(1000 * (time.perf_counter() - started))
    middle = statistics.median(spent)
    return BenchRow(name, f"{middle:.1f} ms (worst {max(spent):.1f})", f"<= {target_ms:.0f} ms", middle <= target_ms)


def _listed(library: Library, name: str, *conditions: str, **how) -> BenchRow:
    spent = []
    for _ in range(3):
        started = time.perf_counter()
        count = len(library.list_files(*conditions, **how))
        spent.append(time.perf_counter() - started)
    middle = statistics.median(spent)
    return BenchRow(f"{name}, {count:,}", f"{middle:.2f} s", f"< {LIST_TARGET_S:.0f} s", middle < LIST_TARGET_S)


def _memory(folder: Path) -> BenchRow:
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY_CHILD, str(folder)], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    told = json.loads(done.stdout)
    grown = told["after"] - told["before"]
    return BenchRow(
        f"memory for listing {FILES:,} files and looking at 12,000 rows",
        f"{grown:.0f} MiB more, {told['after']:.0f} MiB in all{', torch loaded' if told['torch'] else ''}",
        f"< {MEMORY_TARGET_MIB:.0f} MiB more",
        grown < MEMORY_TARGET_MIB and not told["torch"],
    )


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(0 if show("The desk: the core's side", core_rows()) else 1)
