"""The study: the small version of every published row on one folder of described sounds.

It can be stopped and started again at any time, also part by part: finished runs are not run again, and the document is
written from what is there. No run refers to one of another part, so parts can run side by side.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import torch

from core.errors import KnownError
from training.captioning.run import train as train_captioner
from training.checkpoint import write_whole
from training.recipe import load_any, recipe_path
from training.retrieval.captioner import write_captions
from training.retrieval.config import AuxiliaryRecipe, RetrievalRecipe
from training.retrieval.encoder import Places
from training.retrieval.material import CAPTIONS_FILE
from training.retrieval.run import FIGURES_FILE, Shelf, train
from training.table import Row, collect, write_report

TIME_FILE = "seconds.json"
_logger = logging.getLogger(__name__)


class StudyError(KnownError):
    """The study has no such part."""


@dataclass(frozen=True, slots=True)
class StudyRun:
    """One recipe of a part.

    Attributes:
        recipe: Below `configs/small`.
        seeds: How many. Runs of the same seed lie side by side, and refer to each other by name.
    """

    recipe: str
    seeds: int = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One paper's rows.

    Attributes:
        title: For people.
        runs: In an order in which each finds what it refers to.
        tried: What was tried where a finding of the paper does not show; runs of its own, behind the others.
    """

    title: str
    runs: tuple[StudyRun, ...]
    tried: tuple[StudyRun, ...] = ()


def _runs(*names: str, seeds: int = 3) -> tuple[StudyRun, ...]:
    return tuple(StudyRun(name, seeds) for name in names)


_LOSSES = ("triplet-sum", "triplet-max", "triplet-weighted", "nt-xent")
PARTS: dict[str, Part] = {
    "mei": Part(
        "Losses at batch 32 and 128 (Mei et al. 2022)",
        _runs(*(f"mei-{loss}" for loss in _LOSSES), *(f"mei-{loss}-128" for loss in _LOSSES)),
        _runs("mei-triplet-sum-128-faster"),
    ),
    "primus": Part(
        "Estimated correspondences (Primus et al. 2024)",
        _runs(
            "primus-stage1",
            "primus-stage1-frames",
            "primus-stage1-mlp",
            "primus-stage2-none",
            "primus-stage2-m1",
            "primus-stage2-m3",
            "primus-stage2-sum",
        ),
        _runs("primus-mlp-stage2-none", "primus-mlp-stage2-m1", "primus-mlp-stage2-m3"),
    ),
    "tymofieiev": Part(
        "Sigmoid, encoder learning rate, text-aware pooling (Tymofieiev 2025)",
        (
            *_runs("tymofieiev-nt-xent", "tymofieiev-sigmoid", "tymofieiev-mean", "tymofieiev-tap"),
            *_runs("tymofieiev-tuned", "tymofieiev-tuned-slower", seeds=2),
        ),
        _runs("tymofieiev-tap-dropout", "tymofieiev-tuned-faster", seeds=2),
    ),
    "xin-hci": Part(
        "Hierarchical interaction (Xin and Zou)",
        _runs("xin-hci-cs", "xin-hci-fw", "xin-hci-sp", "xin-hci-all"),
        _runs("xin-hci-cs-whole", "xin-hci-fw-whole", "xin-hci-sp-whole", "xin-hci-all-whole", seeds=2),
    ),
    "xin-ac": Part(
        "Auxiliary captions (Xin and Zou)",
        (
            *_runs("xin-captioner", seeds=1),
            *_runs("xin-ac-none", "xin-ac-da"),
            *_runs("xin-ac-fi", "xin-ac-tcm", "xin-ac-hci", seeds=2),
        ),
        (
            *_runs("xin-ac-none-whole", "xin-ac-da-whole", seeds=2),
            *_runs("xin-captioner-richer", seeds=1),
            *_runs("xin-ac-da-richer", "xin-ac-fi-richer", "xin-ac-tcm-richer", "xin-ac-hci-richer", seeds=2),
        ),
    ),
    "labbe": Part(
        "A captioner as retriever, and perturbed captions (Labbé et al. 2023)",
        _runs("labbe", "labbe-scenes", seeds=2),
    ),
}


TRIED = "tried"
# None of the first two waits for features that the other computes as well.
_LONGEST_FIRST = ("tymofieiev", "labbe", "xin-ac", "xin-hci", "primus", "mei")


def planned(parts: str) -> Iterator[tuple[str, StudyRun, int]]:
    """Every run of the chosen parts: part, run, seed; all of one seed first, so that an early stop tells most.

    Args:
        parts: Names with commas between; "mei-tried" is what was tried again for the part "mei". "all" are all parts
            without that, "tried" is that of all parts.

    Raises:
        StudyError: There is no such part.
    """
    chosen = _chosen(parts)
    for seed in range(max((run.seeds for runs in chosen.values() for run in runs), default=0)):
        for name, runs in chosen.items():
            yield from ((name, run, seed) for run in runs if seed < run.seeds)


def _chosen(parts: str) -> dict[str, tuple[StudyRun, ...]]:
    known = {name: part.runs for name, part in PARTS.items()}
    tried = {f"{name}-{TRIED}": part.tried for name, part in PARTS.items() if part.tried}
    whole = {"all": known, TRIED: tried}
    if parts in whole:
        return whole[parts]
    names = [name.strip() for name in parts.split(",")]
    for name in names:
        if name not in known and name not in tried:
            raise StudyError(
                f"The study has no part {name}.", f"There are: all, {', '.join(known)}; {TRIED}, {', '.join(tried)}."
            )
    return {name: (known | tried)[name] for name in names}


def paper_of(part: str) -> str:
    """The part that a part belongs to: "mei" of "mei-tried", and of itself."""
    return part.removesuffix(f"-{TRIED}")


def run_study(
    data: Path, out: Path, cache: Path, *, parts: str = "all", document: Path | None = None, jobs: int = 1
) -> None:
    """Run what is not finished, and report what is.

    Args:
        data: A folder of described sounds.
        out: For the runs: `seedN/RECIPE`.
        cache: For features.
        parts: See `planned`.
        document: Gets tables of all that is finished.
        jobs: Parts that run at once, each in a process with one thread.

    Raises:
        KnownError: Something is missing or damaged, or the disk is full.
    """
    names = list(dict.fromkeys(part for part, _, _ in planned(parts)))
    if jobs == 1 or len(names) == 1:
        _run_planned(data, out, cache, parts=",".join(names), show=True)
    else:
        _run_side_by_side(data, out, cache, names=sorted(names, key=_rank), jobs=jobs)
    for name in dict.fromkeys(map(paper_of, names)):
        rows = part_rows(out, name)
        if rows:
            write_report(rows, out / "report" / name, data="the corpus")
    if document is not None:
        from training.finding import write_document

        write_document(out, document)


def _run_side_by_side(data: Path, out: Path, cache: Path, *, names: list[str], jobs: int) -> None:
    """One process for each part. What fails in one part is told when the others have ended."""
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker) as pool:
        running = {pool.submit(_run_planned, data, out, cache, parts=name, show=False): name for name in names}
        for future in as_completed(running):
            future.result()
            _logger.info("part %s is finished", running[future])


def _rank(part: str) -> int:
    return _LONGEST_FIRST.index(paper_of(part))


def _begin_worker() -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Which run began, but not every epoch of each: two would talk at once.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    _logger.setLevel(logging.INFO)


def _end_with_parent() -> None:
    # A study that is killed and started again must not meet its former workers in the same folders.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _run_planned(data: Path, out: Path, cache: Path, *, parts: str, show: bool) -> None:
    shelf = Shelf()
    for _, run, seed in planned(parts):
        folder = out.resolve() / f"seed{seed}" / run.recipe
        overrides = [f"seed={seed}"]
        recipe = load_any(recipe_path(f"small/{run.recipe}"), overrides)
        places = Places(data, Path("weights"), cache, folder.parent)
        began = time.perf_counter()
        if isinstance(recipe, AuxiliaryRecipe):
            if not (folder / CAPTIONS_FILE).is_file():
                write_captions(recipe, places, folder, device="cpu", show=show)
                _note_time(folder, began)
            continue
        if (folder / FIGURES_FILE).is_file():
            continue
        if isinstance(recipe, RetrievalRecipe) and recipe.auxiliary is not None and seed:
            # Captions are written once, for all seeds.
            captions = str(out.resolve() / "seed0" / recipe.auxiliary.captions)
            recipe = load_any(recipe_path(f"small/{run.recipe}"), [*overrides, f"auxiliary.captions={captions}"])
        _logger.info("%s, seed %d", run.recipe, seed)
        if recipe.task == "captioning":
            train_captioner(recipe, places, folder, device="cpu", show=show)
        else:
            train(recipe, places, folder, device="cpu", shelf=shelf, show=show)
        _note_time(folder, began)


def _note_time(folder: Path, began: float) -> None:
    # A run that was stopped in between tells the time of its last leg only.
    write_whole(folder / TIME_FILE, json.dumps({"seconds": round(time.perf_counter() - began, 1)}).encode())


def part_rows(out: Path, part: str) -> list[Row]:
    """A part's finished runs, in the order in which they are planned, and what was tried again behind them."""
    names = [run.recipe for run in (*PARTS[part].runs, *PARTS[part].tried)]
    folders = [out / f"seed{seed}" / name for name in names for seed in range(3)]
    finished = [folder for folder in folders if (folder / FIGURES_FILE).is_file()]
    return collect(finished) if finished else []


def all_rows(out: Path) -> dict[str, Row]:
    """Every finished row by its recipe."""
    return {row.name: row for part in PARTS for row in part_rows(out, part)}
