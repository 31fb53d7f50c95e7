"""The study's plan, its verdicts, and its document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.finding import BEGIN, END, FINDINGS, Finding, verdict, write_document
from training.recipe import load_any, recipe_path, save_recipe
from training.study import PARTS, StudyError, planned
from training.table import Row

CLAIM = Finding("mei", "a beats b", "a", "b", "in the paper", "map_at_10")
ALIKE = Finding("mei", "a is like b", "a", "b", "in the paper", "map_at_10", alike=True)


def row(*values: float) -> Row:
    return Row("it", {"map_at_10": list(values)})


@pytest.mark.parametrize(
    ("finding", "better", "other", "told"),
    [
        (CLAIM, row(0.30, 0.31, 0.32), row(0.20, 0.21, 0.22), "+10.0 points: shows"),
        (CLAIM, row(0.20, 0.21, 0.22), row(0.30, 0.31, 0.32), "-10.0 points: the other way round"),
        (CLAIM, row(0.20, 0.30, 0.40), row(0.20, 0.31, 0.37), "+0.7 points: does not show, no clear difference"),
        (CLAIM, row(0.30), row(0.20), "+10.0 points, one seed: not judged"),
        (ALIKE, row(0.20, 0.30), row(0.21, 0.29), "+0.0 points: shows, no clear difference"),
        (ALIKE, row(0.30, 0.31), row(0.20, 0.21), "+10.0 points: does not show, they differ"),
        (CLAIM, row(), row(0.2), "not measured"),
    ],
)
def test_that_a_verdict_follows_from_the_seeds(finding: Finding, better: Row, other: Row, told: str) -> None:
    assert verdict(finding, better, other) == told


def test_that_every_finding_compares_rows_of_its_part() -> None:
    for finding in FINDINGS:
        part = PARTS[finding.part]
        names = {run.recipe for run in (*part.runs, *(part.tried if finding.tried else ()))}
        assert {finding.better, finding.other} <= names


def test_that_every_run_finds_what_it_refers_to() -> None:
    done: set[str] = set()
    for _, run, seed in (*planned("all"), *planned("tried")):
        recipe = load_any(recipe_path(f"small/{run.recipe}"), [f"seed={seed}"])
        starts_from = getattr(recipe, "starts_from", "")
        distillation = getattr(recipe, "distillation", None)
        for other in [starts_from, *(distillation.teachers if distillation else ())]:
            assert not other or f"{other} {seed}" in done
        auxiliary = getattr(recipe, "auxiliary", None)
        assert auxiliary is None or f"{auxiliary.captions} 0" in done
        done.add(f"{run.recipe} {seed}")


def test_that_an_unknown_part_names_the_known_ones() -> None:
    with pytest.raises(StudyError, match="mei"):
        list(planned("einstein"))


def test_that_what_was_tried_is_planned_by_itself() -> None:
    every = {run.recipe for _, run, _ in planned("all")}
    tried = {run.recipe for _, run, _ in planned("tried")}
    assert every.isdisjoint(tried)
    assert {run.recipe for _, run, _ in planned("mei,mei-tried")} == {
        name for name in every | tried if name.startswith("mei-")
    }
    assert every | tried == {path.stem for path in recipe_path("small/labbe").parent.glob("[!_]*.yaml")}


def test_that_the_document_keeps_what_stands_around_the_tables(tmp_path: Path) -> None:
    document = tmp_path / "study.md"
    document.write_text(f"# Study\n\n{BEGIN}\nold\n{END}\n\nWhat was tried.\n", encoding="utf-8")
    for name, value in (("mei-nt-xent", 0.3), ("mei-triplet-sum", 0.2)):
        folder = tmp_path / "runs" / "seed0" / name
        save_recipe(load_any(recipe_path(f"small/{name}")), folder)
        (folder / "figures.json").write_text(json.dumps({"recall_at_1": value}), encoding="utf-8")
        (folder / "seconds.json").write_text(json.dumps({"seconds": 90}), encoding="utf-8")
    write_document(tmp_path / "runs", document)
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# Study")
    assert text.endswith("What was tried.\n")
    assert "old" not in text
    assert "30.0 against 20.0 | +10.0 points, one seed: not judged" in text
    assert "`make study PART=mei`: 3 minutes; what was tried again, `PART=mei-tried`: 0 minutes." in text
    assert "not measured" in text


_PARENT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from training.study import _begin_worker

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


@pytest.mark.slow
def test_that_no_worker_outlives_a_killed_study(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
