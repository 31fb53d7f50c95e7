"""Kinds of sound that are taken for one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_clip import made_up_clip

from training.assess.confusion import confusion, plot_confusion


def test_that_kinds_are_counted_among_the_first_five_and_mistakes_told_by_their_share(tmp_path: Path) -> None:
    clips = [made_up_clip(str(number), category="dog" if number < 4 else "bell") for number in range(8)]
    scores = np.array([[8, 7, 6, 5, 4, 3, 2, 1], [1, 2, 3, 8, 7, 6, 5, 4]], dtype=np.float32)
    carried = np.zeros((2, 8), dtype=np.bool_)
    carried[0, 0] = carried[1, 7] = True
    found = confusion(scores, carried, clips)
    assert found.kinds == ("bell", "dog")
    assert found.shares == pytest.approx(np.array([[0.8, 0.2], [0.2, 0.8]]))
    assert found.mistakes()[0][2] == pytest.approx(0.2)
    pytest.importorskip("matplotlib")
    plot_confusion(found, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000
