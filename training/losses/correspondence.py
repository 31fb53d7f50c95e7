"""Learning from estimated correspondences (loss "estimated-correspondence")."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import log_softmax, softmax

from training.losses.protocol import Batch


class EstimatedCorrespondence(nn.Module):
    """Cross-entropy to what a teacher thinks of every pair of a batch, matching or not.

    With S = T A^T / tau and the teacher's scores E (text i, sound j):

        L = -1/2 mean_i sum_j softmax_j(E_i. / theta)_j log softmax_j(S_i.)_j
            -1/2 mean_j sum_i softmax_i(E_.j / theta)_i log softmax_i(S_.j)_i

    Primus et al. (2024), section 3, L_dist: there E is the mean cosine of M trained models and theta = tau. Here E may
    be any score, so theta stands by itself. The least possible value is the teacher's own entropy, not 0.

    Args:
        temperature: tau, above 0.
        teacher_temperature: theta, above 0.

    Inputs: unit-length `text` (q, d) and `audio` (b, d), `estimates` (q, b). There may be more texts than sounds:
    texts without any sound of their own can be learned from as well.
    """

    def __init__(self, *, temperature: float = 0.05, teacher_temperature: float = 0.1) -> None:
        super().__init__()
        if min(temperature, teacher_temperature) <= 0:
            raise ValueError(f"temperatures are above 0, not {temperature} and {teacher_temperature}")
        self.temperature = temperature
        self.teacher_temperature = teacher_temperature

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the parts "text_to_audio" and "audio_to_text", to be added up."""
        scores = batch.text @ batch.audio.T / self.temperature
        estimates = batch.estimates.detach() / self.teacher_temperature
        by_text = (softmax(estimates, dim=1) * log_softmax(scores, dim=1)).sum(dim=1).mean()
        by_audio = (softmax(estimates, dim=0) * log_softmax(scores, dim=0)).sum(dim=0).mean()
        return {"text_to_audio": -0.5 * by_text, "audio_to_text": -0.5 * by_audio}
