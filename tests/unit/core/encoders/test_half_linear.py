from __future__ import annotations

import pytest
import torch
from torch import nn

from core.encoders import half_linear
from core.encoders.bert import BertConfig, SentenceTower
from core.encoders.half_linear import HalfLinear, halve_linears, has_half_linears

NEEDS_IT = pytest.mark.skipif(not has_half_linears(), reason="this processor has no such layers")


def tower() -> SentenceTower:
    torch.manual_seed(4)
    small = (
        SentenceTower(BertConfig(vocabulary=50, width=48, layers=2, heads=4, hidden=96)).eval().requires_grad_(False)
    )
    for parameter in small.parameters():
        parameter.copy_(parameter.half().float())
    return small


@NEEDS_IT
def test_that_all_layers_are_replaced_and_nothing_else_changes():
    whole, halved = tower(), tower()
    halve_linears(halved)
    assert sum(isinstance(layer, HalfLinear) for layer in halved.modules()) == 2 * 6
    assert not any(isinstance(layer, nn.Linear) for layer in halved.modules())
    tokens = torch.randint(0, 50, (3, 11))
    mask = torch.arange(11) < torch.tensor([[11], [4], [1]])
    with torch.inference_mode():
        torch.testing.assert_close(halved(tokens, mask), whole(tokens, mask), rtol=1e-5, atol=1e-6)


def test_that_a_processor_without_them_keeps_its_layers(monkeypatch):
    monkeypatch.setattr(half_linear, "has_half_linears", lambda: False)
    kept = tower()
    halve_linears(kept)
    assert sum(isinstance(layer, nn.Linear) for layer in kept.modules()) == 2 * 6
