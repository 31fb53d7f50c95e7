"""`dying_training.py EPOCH BATCH ARGUMENT...`: the training command, killed at a batch, as if the plug was pulled."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from training.cli import main
from training.tasks.captioning import CaptioningTask
from training.tasks.retrieval import RetrievalTask


def dying(batches: Callable[[Any, int], Iterator[Any]], at: tuple[int, int]) -> Callable[[Any, int], Iterator[Any]]:
    """A task's batches, of which one kills the process."""

    def until(task: Any, epoch: int) -> Iterator[Any]:
        for number, batch in enumerate(batches(task, epoch)):
            if (epoch, number) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    return until


if __name__ == "__main__":
    epoch, batch = int(sys.argv[1]), int(sys.argv[2])
    for task in (RetrievalTask, CaptioningTask):
        task.batches = dying(task.batches, (epoch, batch))
    sys.argv[1:] = sys.argv[3:]
    main()
