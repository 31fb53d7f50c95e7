from __future__ import annotations

import warnings

import pytest
import torch

from core.encoders.bert import BertConfig, BertEncoder, SentenceTower, pad_tokens

SENTENCES = [[101, 7, 9, 102], [101, 3, 8, 300, 12, 44, 102]]


@pytest.mark.slow
def test_that_it_is_the_bert_of_transformers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.models.bert.configuration_bert import BertConfig as TheirConfig
        from transformers.models.bert.modeling_bert import BertModel

    own = BertConfig(vocabulary=400, width=96, layers=3, heads=6, hidden=192, positions=32)
    torch.manual_seed(0)
    theirs = BertModel(
        TheirConfig(
            vocab_size=own.vocabulary,
            hidden_size=own.width,
            num_hidden_layers=own.layers,
            num_attention_heads=own.heads,
            intermediate_size=own.hidden,
            max_position_embeddings=own.positions,
        )
    ).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    ours = BertEncoder(own).eval()
    ours.load_official(theirs.state_dict())
    tokens, mask = pad_tokens(SENTENCES)
    with torch.inference_mode():
        expected = theirs(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        torch.testing.assert_close(ours(tokens, mask)[mask], expected[mask], rtol=1e-5, atol=1e-5)


def test_that_padding_does_not_change_a_sentence() -> None:
    torch.manual_seed(0)
    tower = SentenceTower(BertConfig(vocabulary=400, width=96, layers=2, heads=6, hidden=192)).eval()
    with torch.inference_mode():
        alone = tower(*pad_tokens(SENTENCES[:1]))
        batched = tower(*pad_tokens(SENTENCES))[:1]
    torch.testing.assert_close(batched, alone, rtol=0, atol=1e-5)


def test_that_word_order_matters() -> None:
    torch.manual_seed(0)
    tower = SentenceTower(BertConfig(vocabulary=400, width=96, layers=2, heads=6, hidden=192)).eval()
    for parameter in tower.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.3)
    with torch.inference_mode():
        one, other = tower(*pad_tokens([[101, 7, 9, 102], [101, 9, 7, 102]]))
    assert (one - other).abs().max() > 1e-3


def test_that_minilm_has_its_published_size() -> None:
    with torch.device("meta"):
        tower = SentenceTower()
    assert sum(parameter.numel() for parameter in tower.parameters()) == 22_565_376
    assert tower.dimension == 384


def test_that_a_state_with_a_gap_is_refused() -> None:
    encoder = BertEncoder(BertConfig(vocabulary=40, width=24, layers=1, heads=2, hidden=48, positions=8))
    state = encoder.state_dict()
    del state["encoder.layer.0.output.dense.bias"]
    with pytest.raises(RuntimeError, match=r"encoder\.layer\.0\.output\.dense\.bias"):
        encoder.load_official(state)
