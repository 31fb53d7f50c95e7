from __future__ import annotations

import threading

import pytest

from core.jobs import clock as clock_module
from core.jobs.clock import StageClock


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that advances by one second at every look."""
    times = [0.0]

    def look() -> float:
        times[0] += 1.0
        return times[0]

    monkeypatch.setattr(clock_module.time, "perf_counter", look)
    return times


def test_that_stages_add_up(ticks: list[float]) -> None:
    clock = StageClock()
    with clock.stage("decode"):
        pass
    with clock.stage("mix"), clock.stage("decode"):
        pass
    assert clock.seconds == {"decode": 2.0, "mix": 3.0}


def test_that_a_stage_that_fails_is_counted(ticks: list[float]) -> None:
    clock = StageClock()
    with pytest.raises(ValueError, match="broken"), clock.stage("decode"):
        raise ValueError("broken")
    assert clock.seconds == {"decode": 1.0}


def test_that_seconds_are_a_copy() -> None:
    clock = StageClock()
    clock.add("store", 1.0)
    clock.seconds["store"] = 5.0
    assert clock.seconds == {"store": 1.0}


def test_that_many_threads_may_share_a_clock() -> None:
    clock = StageClock()
    threads = [threading.Thread(target=lambda: [clock.merge({"mel": 1.0}) for _ in range(1000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.seconds == {"mel": 8000.0}
