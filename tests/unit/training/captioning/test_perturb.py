from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from core.types import FloatArray, IntArray
from training.captioning.relation import take_apart
from training.captioning.scene import Scene
from training.data.dataset import Clip
from training.perturb import accuracies, contrasts, rerank, scene_contrasts

CLIPS = [
    Clip(id=str(number), path=Path("x"), captions=(f"Sound {number}",), split="test", category=str(number))
    for number in range(4)
]
SCENES = [
    Scene(first, second, relation, 0)
    for relation in ("sequence", "superposition")
    for first in range(4)
    for second in range(4)
    if first != second
]


class Knowing:
    """A judge that knows the scenes, or turns what it knows round."""

    def __init__(self, scenes: Sequence[Scene], *, wrong: bool = False) -> None:
        self.scenes = scenes
        self.wrong = wrong

    def __call__(self, rows: IntArray, captions: Sequence[str]) -> FloatArray:
        losses = [0.0 if self.is_so(self.scenes[row], text) else 1.0 for row, text in zip(rows, captions, strict=True)]
        return np.asarray(losses, dtype=np.float32) * (-1 if self.wrong else 1)

    @staticmethod
    def is_so(scene: Scene, caption: str) -> bool:
        told = take_apart(caption)
        assert told is not None
        names = [f"sound {scene.first}", f"sound {scene.second}"]
        said = [told.right, told.left] if told.words == "after" else [told.left, told.right]
        return told.relation == scene.relation and said == names


def test_that_a_caption_gets_all_the_tests_that_it_allows() -> None:
    rng = np.random.default_rng(0)
    assert {test.name for test in contrasts(0, "a before b", rng)} == {
        "replace/BAT",
        "replace/seq2sup",
        "invert/seq",
        "invert/BAT",
    }
    assert {test.name for test in contrasts(0, "a and then b", rng)} == {"replace/seq2sup", "invert/seq"}
    assert {test.name for test in contrasts(0, "a while b", rng)} == {"replace/sup2seq", "invert/sup"}
    assert contrasts(0, "a dog barks", rng) == []


def test_that_who_knows_the_order_passes_every_test() -> None:
    captions, tests = scene_contrasts(SCENES, CLIPS, np.random.default_rng(0))
    assert len(captions) == len(SCENES)
    found = accuracies(Knowing(SCENES), tests)
    assert set(found) == {
        "replace/BAT",
        "replace/seq2sup",
        "replace/sup2seq",
        "invert/BAT",
        "invert/seq",
        "invert/sup",
    }
    assert all(accuracy.share == 1.0 and accuracy.captions > 0 for accuracy in found.values())


def test_that_who_has_it_the_wrong_way_round_fails_every_test() -> None:
    _, tests = scene_contrasts(SCENES, CLIPS, np.random.default_rng(0))
    assert all(accuracy.share == 0.0 for accuracy in accuracies(Knowing(SCENES, wrong=True), tests).values())


def test_that_captions_with_a_relation_of_their_own_are_not_tested() -> None:
    clips = [CLIPS[0], Clip(id="x", path=Path("x"), captions=("Rings as it fades",), split="test", category="x")]
    captions, tests = scene_contrasts([Scene(0, 1, "sequence", 0)], clips, np.random.default_rng(0))
    assert len(captions) == 1
    assert tests == []


def test_that_reranking_finds_the_right_scene_among_the_best() -> None:
    captions, _ = scene_contrasts(SCENES, CLIPS, np.random.default_rng(0))
    hears_no_order = np.asarray(
        [[{one.first, one.second} == {other.first, other.second} for other in SCENES] for one in SCENES],
        dtype=np.float32,
    )
    found = rerank(Knowing(SCENES), captions, hears_no_order, top=4)
    assert found.reachable == 1.0
    assert found.before == pytest.approx(0.25)
    assert found.after == 1.0
    assert found.queries == len(SCENES)


def test_that_reranking_cannot_find_what_the_search_left_out() -> None:
    captions, _ = scene_contrasts(SCENES, CLIPS, np.random.default_rng(0))
    found = rerank(Knowing(SCENES), captions, -np.eye(len(SCENES), dtype=np.float32), top=3)
    assert found.reachable < 0.5
    assert found.after <= found.reachable
