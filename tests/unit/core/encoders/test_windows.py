from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.encoders.windows import WindowCutter, fill_with_silence, plan_windows, pool_windows


def test_that_a_short_sound_is_one_window() -> None:
    assert plan_windows(7, 10, 5) == [(0, 7)]
    assert plan_windows(10, 10, 5) == [(0, 10)]


def test_that_the_tail_is_covered_by_a_window_that_ends_with_the_sound() -> None:
    assert plan_windows(23, 10, 5) == [(0, 10), (5, 15), (10, 20), (13, 23)]
    assert plan_windows(20, 10, 5) == [(0, 10), (5, 15), (10, 20)]


def test_that_an_empty_sound_has_no_windows() -> None:
    assert plan_windows(0, 10, 5) == []


@pytest.mark.parametrize("hop", [0, 11])
def test_that_a_hop_that_leaves_gaps_is_refused(hop: int) -> None:
    with pytest.raises(ValueError, match="hop"):
        plan_windows(100, 10, hop)
    with pytest.raises(ValueError, match="hop"):
        WindowCutter(10, hop)


@given(st.integers(1, 300), st.integers(1, 40), st.data())
def test_that_windows_cover_everything_in_order(length: int, window: int, data: st.DataObject) -> None:
    hop = data.draw(st.integers(1, window))
    windows = plan_windows(length, window, hop)
    assert windows[0][0] == 0
    assert windows[-1][1] == length
    assert all(end - start == min(window, length) for start, end in windows)
    assert all(0 < late[0] - early[0] <= hop for early, late in pairwise(windows))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(1, 25), st.data())
def test_that_the_cutter_gives_the_planned_windows(blocks: list[int], window: int, data: st.DataObject) -> None:
    hop = data.draw(st.integers(1, window))
    sound = np.arange(2 * sum(blocks), dtype=np.float32).reshape(-1, 2)
    cutter = WindowCutter(window, hop)
    given_windows, begin = [], 0
    for block in blocks:
        given_windows += cutter.push(sound[begin : begin + block])
        begin += block
    given_windows += cutter.finish()
    planned = plan_windows(len(sound), window, hop)
    assert [(start, start + len(frames)) for start, frames in given_windows] == planned
    for start, frames in given_windows:
        np.testing.assert_array_equal(frames, sound[start : start + len(frames)])


def test_that_the_cutter_holds_no_more_than_it_needs() -> None:
    cutter = WindowCutter(1000, 500)
    for _ in range(50):
        cutter.push(np.zeros((300, 4), dtype=np.float32))
    assert cutter._held is not None
    assert len(cutter._held) <= 1000
    assert cutter._held.base is None or len(cutter._held.base) <= 1300


def test_that_pooling_weighs_by_duration() -> None:
    pooled = pool_windows(np.eye(2, dtype=np.float32), [3.0, 4.0])
    np.testing.assert_allclose(pooled, [0.6, 0.8], rtol=1e-6)


def test_that_opposite_windows_have_no_mean() -> None:
    with pytest.raises(ValueError, match="direction"):
        pool_windows(np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32), [1.0, 1.0])


def test_that_short_windows_are_filled_with_silence_and_long_ones_left_alone() -> None:
    frames = np.ones((3, 2), dtype=np.float32)
    filled = fill_with_silence(frames, 5, -1.5)
    np.testing.assert_array_equal(filled[:, 0], [1.0, 1.0, 1.0, -1.5, -1.5])
    assert fill_with_silence(frames, 3, -1.5) is frames
