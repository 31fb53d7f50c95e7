"""How fast sounds are indexed, beside `transformers`' CLAP on the same files in the same run, and in how much memory.

Run as a script. Rates are seconds of sound per second of wall time, on all cores, models loaded beforehand.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from material import REPOSITORY, sound_files, sound_folder
from row import BenchRow, show

RATE_TARGET, CLAP_TARGET, MEMORY_TARGET_GIB = 250.0, 12.0, 1.5
REPEATS = 3

_CHILD = """
import json, sys, time
from pathlib import Path
from core.jobs.clock import StageClock
from core.library import Library

folder, library_folder = map(Path, sys.argv[1:3])
with Library.open(library_folder) as library:
    library.encoder().embed_audio([__import__("numpy").zeros(32000, "float32")])
    clock = StageClock()
    started = time.perf_counter()
    for _ in library.index([folder], clock=clock):
        pass
    seconds = time.perf_counter() - started
    ready = library.status().as_dict()
# The kernel's getrusage would count what the parent had before it became this process.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak_kib = int(status["VmHWM"].split()[0])
print(json.dumps({
    "seconds": seconds,
    "stages": clock.seconds,
    "peak_gib": peak_kib / 2**20,
    "ready": ready["ready"],
    "windows": ready["windows"],
}))
"""


def index_in_child(folder: Path, library: Path) -> dict[str, Any]:
    """Index a folder in a process of its own, so that its peak memory is its own too."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder), str(library)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def run() -> list[BenchRow]:
    """Measure and return the table's lines."""
    folder, duration_s = sound_folder()
    cores = len(os.sched_getaffinity(0))
    runs = []
    with tempfile.TemporaryDirectory() as scratch:
        runs = [index_in_child(folder, Path(scratch) / str(number)) for number in range(REPEATS)]
        middle = sorted(runs, key=lambda one: one["seconds"])[REPEATS // 2]
        rate = duration_s / middle["seconds"]
        rates = ", ".join(f"{duration_s / one['seconds']:.0f}" for one in runs)
        rows = [
            BenchRow(
                f"indexing {middle['ready']} files, {duration_s / 60:.0f} min, {cores} cores",
                f"{rate:.0f} x real time (runs: {rates})",
                f">= {RATE_TARGET:.0f}",
                rate >= RATE_TARGET,
            )
        ]
        for stage, seconds in middle["stages"].items():
            share = seconds / sum(middle["stages"].values())
            rows.append(
                BenchRow(f"  stage {stage}", f"{1000 * seconds / duration_s * 60:.0f} ms per minute ({share:.0%})")
            )
        peak = max(one["peak_gib"] for one in runs)
        rows.append(
            BenchRow(
                "peak memory while indexing", f"{peak:.2f} GiB", f"< {MEMORY_TARGET_GIB}", peak < MEMORY_TARGET_GIB
            )
        )
        rows.append(_beside_clap(folder, Path(scratch), before_s=middle["seconds"], cores=cores))
    return rows


def _beside_clap(folder: Path, scratch: Path, *, before_s: float, cores: int) -> BenchRow:
    from clap import clap_seconds

    clap_s = clap_seconds(sound_files(folder), threads=cores)
    after_s = index_in_child(folder, scratch / "after")["seconds"]
    ratio = clap_s / statistics.mean([before_s, after_s])
    return BenchRow(
        "beside CLAP (HTSAT unfused) on the same files",
        f"{ratio:.1f} times its rate ({clap_s:.1f} s against {before_s:.2f} before and {after_s:.2f} s after)",
        f">= {CLAP_TARGET:.0f}",
        ratio >= CLAP_TARGET,
    )


if __name__ == "__main__":
    sys.exit(0 if show("Indexing", run()) else 1)
