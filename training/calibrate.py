"""From scores to the probability of a match: fits what `core.encoders.relevance` applies.

A library either holds the sound that is asked for, or it does not. So every query of the validation split is put
to the split twice: as it is, where a fitting clip among the first five is a match; and with every clip of a fitting
category taken out, where the best-scored clip that is left is a false claim. The best clip for a query that describes
no sound at all is a false claim as well.

Shape legend: q queries, n clips, k background clips, d embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.encoders.card import LogisticFit
from core.encoders.relevance import Relevance
from core.types import FloatArray
from training.data.manifest import Clip
from training.evaluate import CaptionQueries
from training.metrics.retrieval import BoolArray

CLIP_WHITENING = 0.5
"""Of examples; chosen on the validation split, where it finds another take of one in fifty examples more."""
_LEAST_HELD = 0.1
"""Of the mean spread; at least so much is added to every spread before it is whitened."""
_LOOKED_AT = 5
_LEAST_SPREAD = 1e-9


@dataclass(frozen=True, slots=True)
class Examples:
    """What a fit is made from, or measured on.

    Attributes:
        features: (r, 2) score and surprise.
        matches: (r,) whether it is a match.
    """

    features: FloatArray
    matches: BoolArray


@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """At a relevance of one half.

    Attributes:
        kept: Share of the true matches among the first five that are still shown.
        false_claims: Share of the queries whose sound is not there that are answered with something.
        absurd_claims: The same for absurd queries (0 where there are none).
    """

    kept: float
    false_claims: float
    absurd_claims: float


def same_concept(clips: Sequence[Clip], queries: CaptionQueries) -> BoolArray:
    """(q, n) True where a clip shares the category and a caption, title or group with a clip that carries the query.

    These fit the query as far as anybody can tell who knows no more than the captions.
    """
    numbers: dict[str, int] = {}
    words = [
        {numbers.setdefault(text, len(numbers)) for text in [*clip.captions, clip.title, clip.group]} for clip in clips
    ]
    marks = np.zeros((len(clips), len(numbers)), dtype=np.float32)
    for row, own in enumerate(words):
        marks[row, list(own)] = 1.0
    categories = np.asarray([clip.category for clip in clips])
    related = (marks @ marks.T > 0) & (categories[:, None] == categories[None, :])
    return np.asarray((queries.carried.astype(np.float32) @ related.astype(np.float32)) > 0)


def same_category(clips: Sequence[Clip], queries: CaptionQueries) -> BoolArray:
    """(q, n) True where a clip is of the category of a clip that carries the query.

    What is left without them is a library that does not hold the query's sound.
    """
    categories = np.asarray([clip.category for clip in clips])
    related = (categories[:, None] == categories[None, :]).astype(np.float32)
    return np.asarray((queries.carried.astype(np.float32) @ related) > 0)


def put_to(
    relevance: Relevance, queries: FloatArray, clips: FloatArray, *, fits: BoolArray, kin: BoolArray
) -> Examples:
    """Put queries (q, d) to clips (n, d): fitting clips among the first five, and the best clip that is no kin.

    Args:
        relevance: Gives score and surprise.
        queries: Of texts or clips.
        clips: The library.
        fits: (q, n) True where a clip answers a query.
        kin: (q, n) True where it might: neither a match nor a false claim unless it fits.
    """
    rows: list[FloatArray] = []
    matches: list[bool] = []
    for query, scores, fit, near in zip(queries, queries @ clips.T, fits, kin, strict=True):
        features = relevance.features(query, scores)
        first = np.argsort(-scores, kind="stable")[:_LOOKED_AT]
        found = first[fit[first]]
        strangers = np.flatnonzero(~near)
        rows.extend(features[found])
        matches.extend([True] * len(found))
        if len(strangers):
            rows.append(features[strangers[scores[strangers].argmax()]])
            matches.append(False)
    return Examples(np.asarray(rows, dtype=np.float32).reshape(-1, 2), np.asarray(matches, dtype=np.bool_))


def clip_examples(relevance: Relevance, vectors: FloatArray, clips: Sequence[Clip]) -> Examples:
    """The same for queries by clip: variants of the same sound fit, clips of the same category are kin."""
    groups = np.asarray([clip.group for clip in clips])
    categories = np.asarray([clip.category for clip in clips])
    itself = np.eye(len(clips), dtype=np.bool_)
    examples = relevance.example(vectors)
    kin = categories[:, None] == categories[None, :]
    rows = [
        put_to(relevance, examples[[row]], vectors[~itself[row]], fits=fit[None], kin=near[None])
        for row, (fit, near) in enumerate(
            ((groups == groups[row])[~itself[row]], kin[row][~itself[row]]) for row in range(len(clips))
        )
    ]
    return join(*rows)


def example_turn(sounds: FloatArray, copies: FloatArray, originals: FloatArray) -> FloatArray:
    """(d, d) what examples are turned by, as it will be stored (see `core.encoders.relevance.Relevance.example`).

    A direction counts less the more sounds differ in it whatever they are, and the more a copy differs in it from its
    original: the covariances of both are added up and whitened.

    Args:
        sounds: (n, d) everything that was learned from.
        copies: (m, d) of worn copies (see `training.worn_copy`).
        originals: (m, d) of the same sounds as they are.
    """
    centred = (sounds - sounds.mean(axis=0)).astype(np.float64)
    changed = (copies - originals).astype(np.float64)
    spreads, directions = np.linalg.eigh(centred.T @ centred / len(centred) + changed.T @ changed / len(changed))
    spreads = np.maximum(spreads, 0.0)
    # Few sounds do not tell small spreads: where there are no more than directions, as much as the mean is added.
    held = max(_LEAST_HELD, min(1.0, len(directions) / len(sounds)))
    powers = (spreads + max(held * float(spreads.mean()), _LEAST_SPREAD)) ** -CLIP_WHITENING
    # The turned example is brought to unit length anyway; half precision likes powers around one.
    turn = (directions * (powers / powers.mean())) @ directions.T
    return np.asarray(turn.astype(np.float16), dtype=np.float32)


def absurd_examples(relevance: Relevance, queries: FloatArray, clips: FloatArray) -> Examples:
    """The best clip for each absurd query (q, d), a false claim."""
    rows = [
        relevance.features(query, scores)[scores.argmax()]
        for query, scores in zip(queries, queries @ clips.T, strict=True)
    ]
    return Examples(np.asarray(rows, dtype=np.float32).reshape(-1, 2), np.zeros(len(rows), dtype=np.bool_))


def repeated(examples: Examples, times: int) -> Examples:
    """Every example so many times over."""
    return Examples(np.repeat(examples.features, times, axis=0), np.repeat(examples.matches, times))


def lowered(fit: LogisticFit, examples: Examples, *, kept: float) -> LogisticFit:
    """The same fit with a bias at which a share `kept` of the matches reaches one half; never a stricter one."""
    odds = _log_odds(fit, examples)[examples.matches]
    lift = max(0.0, -float(np.quantile(odds, 1.0 - kept)))
    return LogisticFit(score=fit.score, surprise=fit.surprise, bias=fit.bias + lift)


def join(*examples: Examples) -> Examples:
    """All examples as one."""
    return Examples(
        np.concatenate([part.features for part in examples]), np.concatenate([part.matches for part in examples])
    )


def fit_logistic(examples: Examples, *, penalty: float = 1e-3, steps: int = 200) -> LogisticFit:
    """Logistic regression by Newton's method, matches and false claims weighing the same in total.

    A factor that would come out negative is held at zero and the other fitted anew.

    Raises:
        ValueError: Only matches, or only false claims.
    """
    if examples.matches.all() or not examples.matches.any():
        raise ValueError("a calibration needs matches and false claims")
    for columns in ((0, 1), (0,), (1,)):
        weights = _newton(examples, columns, penalty=penalty, steps=steps)
        if (weights[:2] >= 0).all():
            return LogisticFit(score=float(weights[0]), surprise=float(weights[1]), bias=float(weights[2]))
    raise ValueError("neither score nor surprise rises with relevance")


def _newton(examples: Examples, columns: tuple[int, ...], *, penalty: float, steps: int) -> FloatArray:
    features = examples.features.astype(np.float64)[:, columns]
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    inputs = np.concatenate([(features - mean) / scale, np.ones((len(features), 1))], axis=1)
    targets = examples.matches.astype(np.float64)
    share = targets.mean()
    importance = np.where(examples.matches, 0.5 / share, 0.5 / (1 - share)) / len(targets)
    found = np.zeros(inputs.shape[1])
    ridge = penalty * np.eye(len(found))
    ridge[-1, -1] = 0.0
    for _ in range(steps):
        chances = 0.5 * (1 + np.tanh(0.5 * (inputs @ found)))
        gradient = inputs.T @ (importance * (chances - targets)) + ridge @ found
        curvature = (inputs * (importance * chances * (1 - chances))[:, None]).T @ inputs + ridge
        step = np.linalg.solve(curvature, gradient)
        found -= step
        if np.abs(step).max() < 1e-10:
            break
    weights = np.zeros(3)
    weights[list(columns)] = found[:-1] / scale
    weights[2] = found[-1] - float((found[:-1] / scale * mean).sum())
    return np.asarray(weights, dtype=np.float32)


def log_odds_of(relevance: Relevance, texts: FloatArray, clips: FloatArray) -> FloatArray:
    """Log-odds (q, n) of clips (n, d) for texts (q, d), as the search engine judges them."""
    rows = [relevance.log_odds(text, clips @ text, "text") for text in texts]
    return np.stack(rows) if rows else np.zeros((0, len(clips)), dtype=np.float32)


def calibration_figures(
    relevance: Relevance,
    queries: FloatArray,
    clips: FloatArray,
    *,
    fits: BoolArray,
    kin: BoolArray,
    absurd: FloatArray,
) -> CalibrationFigures:
    """How the threshold of one half does on q text queries over clips (n, d); see `put_to`."""
    odds = log_odds_of(relevance, queries, clips)
    strangers = np.where(kin, -np.inf, odds)[~kin.all(axis=1)]
    answered = strangers.max(axis=1, initial=-np.inf) >= 0
    strange = log_odds_of(relevance, absurd, clips).max(axis=1, initial=-np.inf) >= 0
    return CalibrationFigures(kept_matches(odds, fits), _share(answered), _share(strange))


def kept_matches(odds: FloatArray, fits: BoolArray) -> float:
    """Share of the fitting clips among the first five by log-odds (q, n) that are claimed as matches."""
    first = np.argsort(-odds, axis=1, kind="stable")[:, :_LOOKED_AT]
    found = np.take_along_axis(fits, first, axis=1)
    return _share(np.take_along_axis(odds, first, axis=1)[found] >= 0)


def _log_odds(fit: LogisticFit, examples: Examples) -> FloatArray:
    factors = np.asarray([fit.score, fit.surprise], dtype=np.float32)
    return np.asarray(examples.features @ factors + np.float32(fit.bias), dtype=np.float32)


def _share(flags: BoolArray) -> float:
    return float(flags.mean()) if len(flags) else 0.0
