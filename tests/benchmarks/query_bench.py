"""How long a text query takes: warm on 100,000 windows, and cold from the shell.

Run as a script. The library of 20,000 files with 5 windows each is synthetic (embeddings near those of the model's
background sounds, names of the usual kind); it is made by the first run and kept in `.cache/bench/`.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from indexing_bench import MEMORY_TARGET_GIB, index_in_child
from material import CACHE, REPOSITORY, sound_folder
from row import BenchRow, show
from safetensors.numpy import load_file

from core.catalogue.catalogue import Catalogue
from core.catalogue.vectors import CatalogueVectors
from core.encoders.load import InstalledModel, find_model
from core.index import index_folder, open_index
from core.library import Library
from core.search.query import build_query

FILES, WINDOWS_PER_FILE = 20_000, 5
# As many windows as the engine fetches for a page of twenty files.
_LEAST_WINDOWS = 276
WARM_TARGET_MS, INDEX_TARGET_MS, COLD_TARGET_S = 40.0, 3.0, 3.0
SUBJECTS = "door gate car dog bell rain wind drum glass horse train crowd engine bird water fire clock siren".split()
ACTIONS = "slams creaks passes barks rings falls howls rolls breaks gallops departs cheers idles sings drips".split()
PLACES = ("far away", "in a large hall", "close by", "outdoors at night")


def synthetic_library() -> Path:
    """A library of 100,000 windows with its search index."""
    model = find_model()
    folder = CACHE / f"library-{model.card.id}-{model.card.dimension}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        with Catalogue.open(folder) as catalogue:
            _fill(catalogue, model)
        with Library.open(folder) as library:
            for _ in library.reindex():
                pass
        (folder / "complete").touch()
    return folder


def _fill(catalogue: Catalogue, model: InstalledModel) -> None:
    rng = np.random.default_rng(3)
    background = load_file(model.folder / "background.safetensors")["embeddings"].astype(np.float32)
    with catalogue.writing_connection() as connection, connection.begin():
        connection.exec_driver_sql("INSERT INTO models VALUES (?, ?, 0)", (model.card.id, model.card.dimension))
        connection.exec_driver_sql("INSERT INTO roots VALUES (1, ?, '/sounds', 'online', 0)", (b"/sounds",))
        for file_id in range(1, FILES + 1):
            subject, action = rng.choice(SUBJECTS), rng.choice(ACTIONS)
            folder, name = f"{subject}s", f"{subject}_{action}_{file_id:05d}.wav"
            connection.exec_driver_sql(
                "INSERT INTO files (id, root_id, relative_path, display_path, folder, name, extension, size, mtime_ns, "
                "state, content_hash, container, sample_rate_hz, channels, duration_s, added_at, indexed_at) "
                "VALUES (?, 1, ?, ?, ?, ?, 'wav', 1, 1, 'ready', ?, 'wav', 48000, 2, 30, 0, 0)",
                (file_id, f"{folder}/{name}".encode(), f"{folder}/{name}", folder, name, file_id.to_bytes(8, "big")),
            )
            connection.exec_driver_sql(
                "INSERT INTO file_text (rowid, name, folder, metadata, captions) VALUES (?, ?, ?, '', '')",
                (file_id, name, folder),
            )
            centre = background[rng.integers(len(background))]
            noise = rng.standard_normal((WINDOWS_PER_FILE, len(centre))) / np.sqrt(len(centre))
            vectors = centre + 0.5 * noise
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            for number, vector in enumerate(vectors.astype("<f2")):
                window_id = (file_id - 1) * WINDOWS_PER_FILE + number + 1
                connection.exec_driver_sql(
                    "INSERT INTO windows VALUES (?, ?, ?, ?)", (window_id, file_id, 5.0 * number, 5.0 * number + 10)
                )
                connection.exec_driver_sql(
                    "INSERT INTO embeddings VALUES (?, ?, ?, ?, ?)",
                    (window_id, window_id, file_id, model.card.id, vector.tobytes()),
                )


def _queries() -> list[str]:
    rng = np.random.default_rng(5)
    return [
        f"a {rng.choice(SUBJECTS)} {rng.choice(ACTIONS)} {rng.choice(PLACES)}, take {number}" for number in range(60)
    ]


def run() -> list[BenchRow]:
    """Measure and return the table's lines."""
    folder = synthetic_library()
    card = find_model().card
    with Library.open(folder, read_only=True) as library, Catalogue.open(folder, read_only=True) as catalogue:
        vectors_of = CatalogueVectors(catalogue, model_id=card.id, dimension=card.dimension)
        index = open_index(index_folder(folder, card.id), vectors_of, read_only=True)
        texts = _queries()
        for text in texts[:10]:
            library.search(build_query(text))
        whole_ms = [_milliseconds(lambda text=text: library.search(build_query(text))) for text in texts[10:]]
        vectors = [library.encoder().embed_text([text])[0] for text in texts]
        text_ms = [_milliseconds(lambda text=text: library.encoder().embed_text([text])) for text in texts]
        index_ms = [_milliseconds(lambda v=vector: index.search(v, _LEAST_WINDOWS)) for vector in vectors]
        few_ms = [
            _milliseconds(lambda text=text: library.search(build_query(f"{text} folder:dogs"))) for text in texts[10:30]
        ]
    warm, of_index = statistics.median(whole_ms), statistics.median(index_ms)
    windows = FILES * WINDOWS_PER_FILE
    rows = [
        BenchRow(
            f"warm text query, {windows:,} windows, median",
            f"{warm:.1f} ms",
            f"<= {WARM_TARGET_MS:.0f}",
            warm <= WARM_TARGET_MS,
        ),
        BenchRow("  95th percentile", f"{np.percentile(whole_ms, 95):.1f} ms"),
        BenchRow("  of which the text tower", f"{statistics.median(text_ms):.1f} ms"),
        BenchRow(
            "  of which the index", f"{of_index:.2f} ms", f"<= {INDEX_TARGET_MS:.0f}", of_index <= INDEX_TARGET_MS
        ),
        BenchRow("  filtered to one folder of eighteen", f"{statistics.median(few_ms):.1f} ms"),
    ]
    rows.append(_cold(folder))
    rows.append(_memory_beside_large_library(folder))
    return rows


def _cold(folder: Path) -> BenchRow:
    command = [sys.executable, "-m", "core", "search", "a dog barks far away", "--library", str(folder)]
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
        seconds.append(time.perf_counter() - started)
    cold = statistics.median(seconds)
    return BenchRow(
        "`earshot search` cold, median of 5", f"{cold:.2f} s", f"< {COLD_TARGET_S:.0f}", cold < COLD_TARGET_S
    )


def _memory_beside_large_library(folder: Path) -> BenchRow:
    """Indexing into a library that is large already must not need more memory than into an empty one."""
    copy = CACHE / "large-library"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    sounds, _ = sound_folder(files=25, seed=8)
    peak = index_in_child(sounds, copy)["peak_gib"]
    shutil.rmtree(copy)
    return BenchRow(
        f"peak memory, indexing into {FILES * WINDOWS_PER_FILE:,} windows",
        f"{peak:.2f} GiB",
        f"< {MEMORY_TARGET_GIB}",
        peak < MEMORY_TARGET_GIB,
    )


def _milliseconds(work) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(0 if show("Queries", run()) else 1)
