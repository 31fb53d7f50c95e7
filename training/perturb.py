"""Perturbation tests: does a captioner notice when the words say another order than the sound?

Labbé, Pellegrini, Pinquier 2023, section 5: a caption's relation is replaced (BAT, seq2sup, sup2seq) or the two
propositions around it are swapped (Invert); the accuracy is the share of captions whose true form has the lower loss.
Here they are told of scenes whose order is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.captioning.tokenizer import normalise_caption
from core.types import FloatArray
from training.captioning.relation import FRONT, SETS, Related, join, related, replacements, take_apart
from training.captioning.scene import Scene, scene_words
from training.captioning.score import PairLoss
from training.data.dataset import Clip

PAPER = {
    "replace/BAT": 0.768,
    "replace/seq2sup": 0.825,
    "replace/sup2seq": 0.903,
    "invert/BAT": 0.892,
    "invert/seq": 0.906,
    "invert/sup": 0.778,
}
"""Table 5, on Clotho's development-testing subset."""

IN_FRONT = "invert/front"
"""Not the paper's: captions that say in words which of two sounds at once is the louder one."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A true caption and a false one of the same sound.

    Attributes:
        name: Of the test, as in `PAPER`.
        sound: Number of the sound.
        true: What is so.
        false: What is not.
    """

    name: str
    sound: int
    true: str
    false: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The outcome of one test.

    Attributes:
        share: Of captions whose true form scores better.
        captions: How many were put to the test.
    """

    share: float
    captions: int


def contrasts(sound: int, caption: str, rng: np.random.Generator) -> list[Contrast]:
    """All tests that a caption allows; where several words may stand in, one is drawn."""
    told = take_apart(caption)
    if told is None:
        return []
    made: list[Contrast] = []
    for name in SETS:
        others = replacements(told, name)
        if others:
            other = others[int(rng.integers(len(others)))]
            made.append(Contrast(f"replace/{name}", sound, told.text(), other.text()))
    made.extend(Contrast(f"invert/{name}", sound, told.text(), told.inverted().text()) for name in _inverted_sets(told))
    return made


def _inverted_sets(told: Related) -> list[str]:
    if told.relation == "superposition":
        return ["sup"]
    return ["seq", "BAT"] if told.words in SETS["BAT"][0] else ["seq"]


def scene_contrasts(
    scenes: Sequence[Scene], clips: Sequence[Clip], rng: np.random.Generator, *, front: bool = False
) -> tuple[list[str], list[Contrast]]:
    """A caption for each scene, its relation and its words drawn, and the tests of all.

    Args:
        scenes: Whose order is known.
        clips: That they are made of.
        rng: Draws captions and words.
        front: Also a test with words that say what stands in front.
    """
    captions: list[str] = []
    tests: list[Contrast] = []
    for number, scene in enumerate(scenes):
        first, second = (
            normalise_caption(own[int(rng.integers(len(own)))])
            for own in (clips[scene.first].captions, clips[scene.second].captions)
        )
        words = scene_words(scene.relation)
        said = words[int(rng.integers(len(words)))]
        captions.append(join(first, second, said))
        # A proposition that holds a relation of its own ("as it fades") would be taken apart in the wrong place.
        if take_apart(first) is None and take_apart(second) is None:
            tests.extend(contrasts(number, captions[-1], rng))
            if front and scene.relation == "superposition":
                told = related(first, second, FRONT[int(rng.integers(len(FRONT)))])
                tests.append(Contrast(IN_FRONT, number, told.text(), told.inverted().text()))
    return captions, tests


def accuracies(loss: PairLoss, tests: Sequence[Contrast]) -> dict[str, Accuracy]:
    """How often the true caption has the lower loss, by test."""
    rows = np.asarray([test.sound for test in tests], dtype=np.int64)
    true = loss(rows, [test.true for test in tests])
    false = loss(rows, [test.false for test in tests])
    names = np.asarray([test.name for test in tests])
    return {
        name: Accuracy(float((true < false)[names == name].mean()), int((names == name).sum()))
        for name in (*PAPER, IN_FRONT)
        if (names == name).any()
    }


@dataclass(frozen=True, slots=True)
class Reranking:
    """Scene queries before and after their best answers were put in a new order by the captioner.

    Attributes:
        before: R@1 of the search model.
        after: R@1 with the captioner's order of the best ones.
        reachable: Share of queries whose scene is among those.
        queries: How many.
    """

    before: float
    after: float
    reachable: float
    queries: int


def rerank(loss: PairLoss, captions: Sequence[str], scores: FloatArray, *, top: int = 20) -> Reranking:
    """Put the best `top` scenes of each query in the order of their loss.

    Args:
        loss: By the captioner.
        captions: The query of each of n scenes; the scene itself is the only right answer.
        scores: (n, n) of queries against scenes by the search model.
        top: So many.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    repeated = [caption for caption in captions for _ in range(best.shape[1])]
    losses = loss(best.reshape(-1).astype(np.int64), repeated).reshape(best.shape)
    chosen = best[np.arange(len(best)), losses.argmin(axis=1)]
    own = np.arange(len(captions))
    return Reranking(
        before=float((best[:, 0] == own).mean()),
        after=float((chosen == own).mean()),
        reachable=float((best == own[:, None]).any(axis=1).mean()),
        queries=len(captions),
    )
