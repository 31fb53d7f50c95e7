"""Learning from estimated correspondences (loss "estimated-correspondence")."""

from __future__ import annotations

from torch import Tensor, nn

from training.losses.pair import check_batch, similarity
from training.losses.protocol import Batch
from training.losses.two_way import two_way_expectation, two_way_logsumexp


class EstimatedCorrespondence(nn.Module):
    """Cross-entropy to what a teacher thinks of every pair of a batch, matching or not.

    With S = T A^T / tau and the teacher's scores E (text i, sound j):

        L = -1/2 mean_i sum_j softmax_j(E_i. / theta)_j log softmax_j(S_i.)_j
            -1/2 mean_j sum_i softmax_i(E_.j / theta)_i log softmax_i(S_.j)_i

    Primus et al. (2024), section 3, L_dist: there E is the mean cosine of M trained models and theta = tau, which is
    the default. E may be any score, so theta can be given by itself. The least possible value is the teacher's own
    entropy, not 0. Paper and code agree.

    Args:
        temperature: tau, above 0.
        teacher_temperature: theta, above 0; None: tau.

    Inputs: unit-length `text` (q, d) and `audio` (b, d), `estimates` (q, b). There may be more texts than sounds:
    texts without any sound of their own can be learned from as well.
    """

    def __init__(self, *, temperature: float = 0.05, teacher_temperature: float | None = None) -> None:
        super().__init__()
        theirs = temperature if teacher_temperature is None else teacher_temperature
        if min(temperature, theirs) <= 0:
            raise ValueError(f"temperatures are above 0, not {temperature} and {theirs}")
        self.temperature = temperature
        self.teacher_temperature = theirs

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the parts "text_to_audio" and "audio_to_text", to be added up.

        Raises:
            ValueError: See `training.losses.pair.check_batch`.
        """
        check_batch(batch)
        scores = similarity(batch.text, batch.audio, temperature=self.temperature)
        estimates = batch.estimates.detach().to(scores.dtype) / self.teacher_temperature
        # The teacher's shares add up to 1: the cross-entropy is the normaliser less the scores' mean under them.
        by_text, by_audio = two_way_logsumexp(scores)
        expected_by_text, expected_by_audio = two_way_expectation(scores, estimates)
        return {
            "text_to_audio": 0.5 * (by_text - expected_by_text).mean(),
            "audio_to_text": 0.5 * (by_audio - expected_by_audio).mean(),
        }
