from __future__ import annotations

import numpy as np
import pytest

from training.metrics.retrieval import mean_average_precision, ranked_relevance, retrieval_figures


def scores_for(order: list[int], candidates: int) -> list[float]:
    scores = [0.0] * candidates
    for rank, candidate in enumerate(order):
        scores[candidate] = float(candidates - rank)
    return scores


def test_that_average_precision_is_computed_by_hand() -> None:
    # Relevant at ranks 1 and 3 of R = 2: (1/1 + 2/3) / 2. Relevant at rank 2 of R = 1: 1/2.
    scores = np.asarray([scores_for([0, 2, 1, 3], 4), scores_for([3, 0, 1, 2], 4)], dtype=np.float32)
    relevant = np.asarray([[True, True, False, False], [True, False, False, False]])
    figures = retrieval_figures(scores, relevant)
    assert figures.map_at_10 == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert figures.hit_at_1 == 0.5
    assert figures.hit_at_5 == 1.0
    assert figures.queries == 2


def test_that_more_relevant_than_ten_are_divided_by_ten() -> None:
    scores = np.arange(30, 0, -1, dtype=np.float32)[None]
    relevant = np.zeros((1, 30), dtype=np.bool_)
    relevant[0, :20] = True
    assert retrieval_figures(scores, relevant).map_at_10 == pytest.approx(1.0)


def test_that_a_hit_behind_rank_ten_counts_nothing() -> None:
    scores = np.arange(30, 0, -1, dtype=np.float32)[None]
    relevant = np.zeros((1, 30), dtype=np.bool_)
    relevant[0, 10] = True
    figures = retrieval_figures(scores, relevant)
    assert figures.map_at_10 == 0.0
    assert figures.hit_at_10 == 0.0
    assert mean_average_precision(scores, relevant) == pytest.approx(1 / 11)


def test_that_equal_scores_keep_the_candidates_order() -> None:
    relevant = np.asarray([[False, True, False]])
    assert ranked_relevance(np.ones((1, 3), dtype=np.float32), relevant).tolist() == relevant.tolist()


def test_that_fewer_candidates_than_ten_are_enough() -> None:
    figures = retrieval_figures(np.asarray([[1.0, 2.0]], np.float32), np.asarray([[True, False]]))
    assert figures.map_at_10 == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("scores", "relevant"),
    [
        (np.zeros((1, 2), np.float32), np.zeros((1, 3), np.bool_)),
        (np.zeros((1, 2), np.float32), np.zeros((1, 2), np.bool_)),
        (np.zeros((0, 2), np.float32), np.zeros((0, 2), np.bool_)),
    ],
)
def test_that_what_cannot_be_measured_is_refused(scores: np.ndarray, relevant: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"quer|\(q, n\)"):
        retrieval_figures(scores, relevant)
