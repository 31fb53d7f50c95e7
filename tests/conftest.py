"""What all tests share: the helper modules, and the corpus of real sounds where it is present."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

# Two test processes on two cores: threads of their own would only get in each other's way. Read when torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What is imported and collected stays; looking through it for rubbish, again and again, takes a sixth of the time.
gc.disable()

_ROOT = Path(__file__).resolve().parent.parent


def _corpus_folder() -> Path:
    """The corpus of real sounds, which developers keep beside the checkout or where EARSHOT_SHARED says."""
    shared = os.environ.get("EARSHOT_SHARED")
    return (Path(shared) if shared else _ROOT.parent / "shared") / "corpus"


def _why_no_corpus() -> str | None:
    folder = _corpus_folder()
    if (folder / "corpus.jsonl").is_file():
        return None
    return f"no corpus of real sounds at {folder} (EARSHOT_SHARED names its parent folder)"


def pytest_configure(config: pytest.Config) -> None:
    """Files go to the processes in the order below, and not those of few tests last: these take the longest."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = _why_no_corpus()
    if reason is not None:
        for item in items:
            if item.get_closest_marker("corpus"):
                item.add_marker(pytest.mark.skip(reason=reason))
    # Long files first, so that no process waits in the end for another that has just begun with one.
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish() -> None:
    """Of rubbish that tests make themselves nothing stays."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def corpus_folder() -> Path:
    """The folder with corpus.jsonl and audio/; the test is skipped where there is none."""
    reason = _why_no_corpus()
    if reason is not None:
        pytest.skip(reason)
    return _corpus_folder()
