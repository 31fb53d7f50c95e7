"""All caption metrics at once; what cannot run here says so in one line, and the rest runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.metrics.bleu import bleu
from training.metrics.caption_score import CaptionScore, References, check_captions
from training.metrics.cider import cider_d
from training.metrics.fense import FluencyModel, SentenceEncoder, sentence_similarity
from training.metrics.java import MetricUnavailableError, meteor, spice
from training.metrics.lexical import vocabulary_size
from training.metrics.rouge import rouge_l
from training.metrics.spider import penalise_errors, spider

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CaptionReport:
    """What could be measured.

    Attributes:
        scores: By name: bleu_1..4, rouge_l, cider_d, meteor, spice, spider, spider_fl, sbert_sim, fense.
        vocabulary: Number of different words in the candidates.
        missing: One line for each metric that needs something that is not here.
    """

    scores: dict[str, CaptionScore]
    vocabulary: int
    missing: dict[str, str]


def evaluate_captions(
    candidates: Sequence[str],
    references: References,
    *,
    encoder: SentenceEncoder | None = None,
    fluency: FluencyModel | None = None,
    run_meteor: Callable[[Sequence[str], References], CaptionScore] = meteor,
    run_spice: Callable[[Sequence[str], References], CaptionScore] = spice,
) -> CaptionReport:
    """Score captions by every metric that can run.

    Args:
        candidates: One caption each.
        references: Each candidate's references.
        encoder: Sentence encoder of FENSE, or None.
        fluency: Detector of fluency errors, or None.
        run_meteor: Computes METEOR.
        run_spice: Computes SPICE.

    Raises:
        ValueError: As `check_captions`.
    """
    check_captions(candidates, references)
    scores = {
        **bleu(candidates, references),
        "rouge_l": rouge_l(candidates, references),
        "cider_d": cider_d(candidates, references),
    }
    missing: dict[str, str] = {}
    for name, run in (("meteor", run_meteor), ("spice", run_spice)):
        try:
            scores[name] = run(candidates, references)
        except MetricUnavailableError as error:
            missing[name] = str(error)
    if "spice" in scores:
        scores["spider"] = spider(scores["cider_d"], scores["spice"])
    if encoder is None:
        missing["sbert_sim"] = "The sentence similarity and FENSE are left out: no sentence encoder was given."
    else:
        scores["sbert_sim"] = sentence_similarity(candidates, references, encoder)
    if fluency is None:
        missing["fluency"] = "FENSE and SPIDEr-FL are left out: no fluency model was given."
    else:
        broken = fluency(candidates)
        for whole, penalised in (("sbert_sim", "fense"), ("spider", "spider_fl")):
            if whole in scores:
                scores[penalised] = penalise_errors(scores[whole], broken)
    for line in missing.values():
        _logger.warning(line)
    return CaptionReport(scores, vocabulary_size(candidates), missing)
