from __future__ import annotations

import torch
from torch import nn

from core.encoders import half_linear
from core.encoders.bert import BertConfig, SentenceTower
from core.encoders.half_linear import HalfLinear, halve_linears, has_half_linears


def tower() -> SentenceTower:
    torch.manual_seed(4)
    small = (
        SentenceTower(BertConfig(vocabulary=50, width=48, layers=2, heads=4, hidden=96)).eval().requires_grad_(False)
    )
    for parameter in small.parameters():
        parameter.copy_(parameter.half().float())
    return small


def test_that_all_layers_are_replaced_where_there_are_such_and_nothing_else_changes():
    whole, halved = tower(), tower()
    halve_linears(halved)
    counts = [sum(isinstance(layer, kind) for layer in halved.modules()) for kind in (HalfLinear, nn.Linear)]
    assert counts == ([2 * 6, 0] if has_half_linears() else [0, 2 * 6])
    tokens = torch.randint(0, 50, (3, 11))
    mask = torch.arange(11) < torch.tensor([[11], [4], [1]])
    with torch.inference_mode():
        torch.testing.assert_close(halved(tokens, mask), whole(tokens, mask), rtol=1e-5, atol=1e-6)


def test_that_a_processor_without_them_keeps_its_layers(monkeypatch):
    monkeypatch.setattr(half_linear, "has_half_linears", lambda: False)
    kept = tower()
    halve_linears(kept)
    assert sum(isinstance(layer, nn.Linear) for layer in kept.modules()) == 2 * 6
