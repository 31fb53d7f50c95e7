"""Sigmoid loss: every pair of a batch is a question by itself (loss "sigmoid")."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from training.losses.pair import paired_scores
from training.losses.protocol import Batch


class SigmoidLoss(nn.Module):
    """Does text i belong to sound j? Answered for every pair independently.

    With s_ij the cosine, z_ij = 1 where text and sound belong together and -1 elsewhere, t and b learned:

        L = -1/N sum_i sum_j log sigmoid( z_ij (exp(t) s_ij + b) )

    Tymofieiev (2025), section 3.5.2, after Zhai et al. (2023), whose code this sign of b is (both papers print
    exp(z (-t s + b)), which with b = -10 would start from the wrong end). Initially t = 1 and b = -10. The thesis' code
    divides the cosine by .05 before; `temperature` does so too. Its labels are the diagonal alone; `diagonal` does so
    too, while by default all captions of a sound belong to it.

    The two learned numbers want a learning rate of their own, which the loss names as `parameter_learning_rate`:
    `training.optim.decay_groups` puts the parameters of every part of a task that names one into a group with it.

    Args:
        log_scale: Initial t.
        bias: Initial b.
        temperature: Divide the cosine by this; 1 leaves it.
        diagonal: Only text i and sound i belong together.

    Inputs: unit-length `text` and `audio` (b, d), paired row by row; `matches` (b, b).
    """

    parameter_learning_rate = 0.1

    def __init__(
        self, *, log_scale: float = 1.0, bias: float = -10.0, temperature: float = 1.0, diagonal: bool = False
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"a temperature is above 0, not {temperature}")
        self.log_scale = nn.Parameter(torch.tensor(float(log_scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))
        self.temperature = temperature
        self.diagonal = diagonal

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the parts "matching" and "other", to be added up."""
        factor = self.log_scale.exp() / self.temperature
        scaled = replace(batch, text=batch.text * factor.to(batch.text.dtype))  # cheaper than to scale all cosines
        logits = paired_scores(scaled) + self.bias
        pairs = len(logits)
        belongs = torch.eye(pairs, dtype=torch.bool, device=logits.device) if self.diagonal else batch.matches
        others = softplus(logits).masked_fill(belongs, 0.0)
        return {"matching": softplus(-logits[belongs]).sum() / pairs, "other": others.sum() / pairs}
