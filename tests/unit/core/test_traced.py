from __future__ import annotations

import threading

import torch

from core.traced import record


def test_that_a_recorded_function_does_the_same_with_other_shapes_and_from_several_threads():
    weight = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))

    def function(rows):
        return torch.softmax(rows @ weight, dim=1), rows.square().mean(dim=0)

    recorded = record(function, torch.zeros(1, 7))
    wrong: list[int] = []

    def check(count: int) -> None:
        rows = torch.randn(count, 7, generator=torch.Generator().manual_seed(count))
        for _ in range(50):
            if not all(torch.equal(one, other) for one, other in zip(recorded(rows), function(rows), strict=True)):
                wrong.append(count)

    threads = [threading.Thread(target=check, args=(count,)) for count in (1, 2, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
