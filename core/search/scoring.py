"""Exact scores of candidate windows for every part of a query.

Shape legend: p wanted parts, n negatives, m windows, d dimension.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.encoders.relevance import QueryKind, Relevance
from core.search.fusion import combine_parts, contest, sigmoid
from core.search.query import ClipPart, TextPart
from core.search.result import PartScore
from core.types import FloatArray, IntArray

# How far the index's query leans away from the negatives; the exact scoring afterwards decides.
_NEGATIVE_LEAN = 0.5
# Where only negatives are given, everything else counts as a match this likely (in log-odds).
_NOTHING_WANTED = 2.0
_LEAST_KEPT = 1e-6


@dataclass(frozen=True, slots=True)
class Asked:
    """A query's parts and negatives with their unit vectors, (p, d) and (n, d)."""

    parts: tuple[TextPart | ClipPart, ...]
    vectors: FloatArray
    negatives: tuple[TextPart, ...]
    negative_vectors: FloatArray

    @property
    def weights(self) -> FloatArray:
        """(p,) how much each part counts."""
        return np.asarray([part.weight for part in self.parts], dtype=np.float32)

    @property
    def negative_weights(self) -> FloatArray:
        """(n,) how much each negative counts."""
        return np.asarray([part.weight for part in self.negatives], dtype=np.float32)

    def index_queries(self) -> list[FloatArray]:
        """Vectors (d,) whose nearest windows are candidates: towards the parts, and leaning away from the negatives."""
        if not self.parts:
            return [-(self.negative_weights @ self.negative_vectors)]
        towards = np.asarray(self.weights @ self.vectors / self.weights.sum(), dtype=np.float32)
        if not self.negatives:
            return [towards]
        away = self.negative_weights @ self.negative_vectors / self.negative_weights.sum()
        return [towards, np.asarray(towards - _NEGATIVE_LEAN * away, dtype=np.float32)]


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidate windows with all that is known of them, best first.

    Attributes:
        files: (m,) the file of each window.
        starts_s: (m,) where it begins.
        ends_s: (m,) where it ends.
        scores: (p + n, m) cosine to every part, then to every negative.
        log_odds: (p + n, m) the same, calibrated.
        wanted: (m,) relevance for the parts together, 0 to 1.
        kept: (m,) what the negatives leave of it, 0 to 1.
        score: (m,) weighted mean cosine to the parts; with negatives alone, minus the mean cosine to them.
    """

    files: IntArray
    starts_s: FloatArray
    ends_s: FloatArray
    scores: FloatArray
    log_odds: FloatArray
    wanted: FloatArray
    kept: FloatArray
    score: FloatArray

    @property
    def relevance(self) -> FloatArray:
        """(m,) of everything that can be heard."""
        return self.wanted * self.kept

    def taken(self, rows: IntArray) -> Scored:
        """Some of the windows, in the order of `rows`."""
        return Scored(
            self.files[rows],
            self.starts_s[rows],
            self.ends_s[rows],
            self.scores[:, rows],
            self.log_odds[:, rows],
            self.wanted[rows],
            self.kept[rows],
            self.score[rows],
        )

    def part_scores(self, asked: Asked, row: int) -> tuple[tuple[PartScore, ...], tuple[PartScore, ...]]:
        """Why a window scored as it did: its parts, and its negatives."""
        rows = []
        kinds = ["text" if isinstance(part, TextPart) else "clip" for part in asked.parts]
        kinds += ["not"] * len(asked.negatives)
        probabilities = sigmoid(self.log_odds[:, row])
        for index, (kind, part) in enumerate(zip(kinds, (*asked.parts, *asked.negatives), strict=True)):
            score, relevance = float(self.scores[index, row]), float(probabilities[index])
            rows.append(PartScore(kind, part.text, part.weight, score, relevance))
        return tuple(rows[: len(asked.parts)]), tuple(rows[len(asked.parts) :])


def score_windows(
    asked: Asked,
    relevance: Relevance,
    *,
    vectors: FloatArray,
    files: IntArray,
    starts_s: FloatArray,
    ends_s: FloatArray,
) -> Scored:
    """Score windows (m, d) for a query and put them in order, best first.

    Args:
        asked: The query.
        relevance: The model's calibration.
        vectors: (m, d) of the windows.
        files: (m,) the file of each.
        starts_s: (m,) where it begins.
        ends_s: (m,) where it ends.
    """
    scores, log_odds = _scores(asked, relevance, vectors)
    wanted = len(asked.parts)
    positive = _positive(asked, log_odds)
    if wanted:
        score = np.asarray(asked.weights @ scores[:wanted] / asked.weights.sum(), dtype=np.float32)
    else:
        score = -scores.mean(axis=0)
    scored = Scored(
        files=files,
        starts_s=starts_s,
        ends_s=ends_s,
        scores=scores,
        log_odds=log_odds,
        wanted=sigmoid(positive),
        kept=contest(positive, log_odds[wanted:], asked.negative_weights, lead=relevance.calibration.contest_lead),
        score=score,
    )
    # Relevance saturates near 1; the log-odds keep the order there.
    return scored.taken(np.lexsort((-positive, -scored.relevance)))


def fit_of(asked: Asked, relevance: Relevance, vectors: FloatArray) -> FloatArray:
    """How well sounds (m, d) of one file fit a query, (m,): log-odds less what negatives take, without saturation."""
    log_odds = _scores(asked, relevance, vectors)[1]
    positive = _positive(asked, log_odds)
    lead = relevance.calibration.contest_lead
    kept = contest(positive, log_odds[len(asked.parts) :], asked.negative_weights, lead=lead)
    return np.asarray(positive + np.log(np.maximum(kept, _LEAST_KEPT)), dtype=np.float32)


def _scores(asked: Asked, relevance: Relevance, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cosines and calibrated log-odds (p + n, m) of sounds (m, d) for every part and negative."""
    queries = np.concatenate([asked.vectors, asked.negative_vectors])
    # Row by row on one thread: busy cores make a threaded product slow at times, and never the same to the last bit.
    scores = np.stack([np.vecdot(vectors, query) for query in queries]).astype(np.float32, copy=False)
    kinds: list[QueryKind] = [
        "clip" if isinstance(part, ClipPart) else "text" for part in (*asked.parts, *asked.negatives)
    ]
    log_odds = np.stack(
        [relevance.log_odds(query, row, kind) for query, row, kind in zip(queries, scores, kinds, strict=True)]
    )
    return scores, log_odds


def _positive(asked: Asked, log_odds: FloatArray) -> FloatArray:
    """Log-odds (m,) for the parts together."""
    if not asked.parts:
        return np.full(log_odds.shape[1], _NOTHING_WANTED, dtype=np.float32)
    return combine_parts(log_odds[: len(asked.parts)], asked.weights)
