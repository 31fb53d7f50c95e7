"""Tokens and rates of long jobs."""

from __future__ import annotations

import threading

import pytest

from core.errors import CancelledError
from core.jobs import CancelToken, PauseToken
from core.jobs.rate import RateMeter


def test_that_a_paused_job_waits_until_it_may_go_on():
    pause, passed = PauseToken(), threading.Event()
    pause.wait()
    pause.pause()
    assert pause.paused
    waiting = threading.Thread(target=lambda: (pause.wait(CancelToken()), passed.set()))
    waiting.start()
    assert not passed.wait(0.15)
    pause.resume()
    assert passed.wait(10)
    waiting.join()
    assert not pause.paused


def test_that_a_paused_job_can_be_cancelled():
    pause, cancel = PauseToken(), CancelToken()
    pause.pause()
    cancel.cancel()
    with pytest.raises(CancelledError):
        pause.wait(cancel)


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def test_that_a_rate_is_that_of_the_last_half_minute():
    clock = Clock()
    meter = RateMeter(clock)
    assert meter.per_second is None
    assert meter.left_s(10) is None
    for second in range(1, 61):
        clock.s += 1.0
        # Slow for half a minute, then ten times faster.
        meter.mark(second if second <= 30 else 30 + 10 * (second - 30), audio_s=2.0 * second)
    assert meter.per_second == pytest.approx(10.0, rel=0.05)
    assert meter.times_real_time == pytest.approx(2.0)
    assert meter.left_s(100) == pytest.approx(10.0, rel=0.05)


def test_that_a_pause_does_not_count_as_slowness():
    clock = Clock()
    meter = RateMeter(clock)
    clock.s += 2.0
    meter.mark(20)
    clock.s += 1_000.0
    meter.skip()
    assert meter.per_second is None
    clock.s += 2.0
    meter.mark(40)
    assert meter.per_second == pytest.approx(10.0)


def test_that_many_marks_need_little_memory():
    clock = Clock()
    meter = RateMeter(clock)
    for number in range(100_000):
        clock.s += 0.001
        meter.mark(number)
    assert len(meter._marks) <= 512
    assert meter.per_second == pytest.approx(1_000.0, rel=0.01)
