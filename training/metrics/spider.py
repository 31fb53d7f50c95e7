"""SPIDEr and SPIDEr-FL: CIDEr-D and SPICE together.

Liu et al. 2017; the fluency penalty is that of FENSE (Zhou et al. 2022), used as SPIDEr-FL by DCASE 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.metrics.caption_score import CaptionScore

_PENALTY = 0.9
_THRESHOLD = 0.9


def spider(cider: CaptionScore, spice: CaptionScore) -> CaptionScore:
    """Half the sum of CIDEr-D and SPICE.

    Raises:
        ValueError: They are of corpora of different size.
    """
    if cider.sentences.shape != spice.sentences.shape:
        raise ValueError(f"CIDEr-D is of {len(cider.sentences)} captions, SPICE of {len(spice.sentences)}")
    return CaptionScore((cider.corpus + spice.corpus) / 2, (cider.sentences + spice.sentences) / 2)


def penalise_errors(
    score: CaptionScore,
    error_probabilities: Sequence[float] | npt.NDArray[np.floating],
    *,
    penalty: float = _PENALTY,
    threshold: float = _THRESHOLD,
) -> CaptionScore:
    """Take `penalty` (nine tenths) off a sentence that is probably broken: SPIDEr -> SPIDEr-FL.

        score * (1 - penalty * [probability > threshold])

    The corpus figure is the mean over the sentences.

    Raises:
        ValueError: Not one probability from 0 to 1 for each sentence.
    """
    probabilities = np.asarray(error_probabilities, dtype=np.float64)
    if probabilities.shape != score.sentences.shape:
        raise ValueError(f"{probabilities.size} probabilities for {len(score.sentences)} captions")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("probabilities lie between 0 and 1")
    return CaptionScore.mean_of(score.sentences * (1 - penalty * (probabilities > threshold)))
