"""Torch functions as one call.

Between two operations of torch Python needs the interpreter's lock. Where several threads compute, each waits for it a
hundred times per forward pass, and that costs more than the operations' own overhead: with two threads on two cores
the trunk took a third longer. A recorded function runs from its first operation to its last without the lock.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def record(function: Callable[..., Any], *example: Tensor) -> Callable[..., Any]:
    """Record what a function does with tensors, to do the same with others.

    Args:
        function: Tensors in, tensors out; what it does must depend on their values and shapes through torch's own
            operations alone. Every other tensor that it uses needs no gradient and is kept as it is now.
        *example: Tensors to record it with.

    Returns:
        The function for inference; any number of threads may call it.
    """
    with warnings.catch_warnings(), torch.no_grad():
        # Torch would rather see its compiler used, which needs a C++ compiler on the user's machine.
        warnings.simplefilter("ignore", DeprecationWarning)
        recorded = torch.jit.trace(function, example, check_trace=False)  # type: ignore[no-untyped-call]

    def run(*tensors: Tensor) -> Any:
        # As it was recorded: looking for shortcuts would cost each thread's first calls more than it ever saves.
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            return recorded(*tensors)

    return run
