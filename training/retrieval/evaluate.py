"""Retrieval figures both ways, by the corpus' protocol, which on sets with one sound for each caption is the papers'.

T2A ranks sounds for each distinct caption; A2T takes the best rank among a sound's captions (recall), or the mean
precision over them (mAP@10).
"""

from __future__ import annotations

import numpy as np

from core.types import FloatArray
from training.evaluate import CaptionQueries, corpus_figures

RECALLS = ("recall_at_1", "recall_at_5", "recall_at_10")
FIGURES = ("map_at_10", *RECALLS, "a2t_map_at_10", *(f"a2t_{name}" for name in RECALLS), "recall_sum")


def retrieval_report(scores: FloatArray, queries: CaptionQueries) -> dict[str, float]:
    """Figures of scores (q, n), named as in `FIGURES`; "recall_sum" adds the six recalls."""
    figures = corpus_figures(np.ascontiguousarray(scores), queries)
    named: dict[str, float] = {}
    for prefix, found in (("", figures.text_to_audio), ("a2t_", figures.audio_to_text)):
        named[f"{prefix}map_at_10"] = found.map_at_10
        for name, value in zip(RECALLS, (found.hit_at_1, found.hit_at_5, found.hit_at_10), strict=True):
            named[prefix + name] = value
    named["recall_sum"] = sum(named[prefix + name] for prefix in ("", "a2t_") for name in RECALLS)
    return named
