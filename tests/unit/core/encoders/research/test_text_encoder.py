"""The text encoders: preparation, limits, pooling, and folders that hold something else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast, RobertaConfig, RobertaModel, RobertaTokenizerFast

from core.encoders.text import (
    TextEncoder,
    TextEncoderConfig,
    UnknownTextEncoderError,
    load_text_encoder,
    marks_to_spaces,
    text_encoder_config,
    text_encoder_names,
    without_punctuation,
)
from core.errors import ModelError

WORDS = "a dog barks while heavy rain falls on the roof door slams then footsteps".split()
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
}


def _small(name: str) -> TextEncoderConfig:
    return replace(text_encoder_config(name), dimension=16, layers=2)


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(WORDS) + 5, **SMALL)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def roberta_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("roberta")
    letters = [chr(code) for code in range(97, 123)] + ["Ġ"]
    vocabulary = {token: index for index, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters])}
    RobertaTokenizerFast(vocab=vocabulary, merges=[]).save_pretrained(folder)
    torch.manual_seed(0)
    RobertaModel(RobertaConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **SMALL)).save_pretrained(folder)
    return folder


@pytest.fixture
def bert(bert_folder) -> TextEncoder:
    return load_text_encoder(_small("bert-base"), bert_folder).eval()


@pytest.fixture
def minilm(bert_folder) -> TextEncoder:
    return load_text_encoder(_small("minilm-l6"), bert_folder).eval()


@pytest.fixture
def roberta(roberta_folder) -> TextEncoder:
    return load_text_encoder(_small("roberta-large"), roberta_folder).eval()


def test_that_each_paper_prepares_texts_its_own_way():
    assert marks_to_spaces('A dog, barks; "loudly"! It\'s over-done.') == "a dog barks loudly it's over-done"
    assert without_punctuation("A dog, barks; it's over-done.") == "a dog barks its overdone"


def test_that_the_first_token_stands_for_the_text(bert, roberta):
    for encoder in (bert, roberta):
        with torch.inference_mode():
            output = encoder(["a dog barks", "rain"])
        assert torch.equal(output.embedding, output.tokens[:, 0])
        assert output.embedding.shape == (2, encoder.dimension)


def test_that_the_mean_leaves_padding_out(minilm):
    with torch.inference_mode():
        output = minilm(["a dog barks while rain falls", "rain"])
    # [CLS] rain [SEP]
    assert torch.allclose(output.embedding[1], output.tokens[1, :3].mean(dim=0), atol=1e-6)
    assert not output.tokens[1, 3:].any()


@pytest.mark.parametrize("name", ["bert", "minilm", "roberta"])
def test_that_a_text_has_the_same_embedding_alone_and_in_a_batch(name, request):
    encoder = request.getfixturevalue(name)
    texts = ["a dog barks", "heavy rain falls on the roof while a door slams", "footsteps"]
    with torch.inference_mode():
        together = encoder(texts).embedding
        for row, text in enumerate(texts):
            assert torch.allclose(together[row], encoder([text]).embedding[0], atol=1e-6)


def test_that_it_is_the_transformer_of_the_folder(bert, bert_folder):
    plain = BertModel.from_pretrained(bert_folder, local_files_only=True).eval()
    with torch.inference_mode():
        batch = bert.tokenise(["Heavy rain, on the roof."])
        expected = plain(input_ids=batch.ids).last_hidden_state[:, 0]
        assert torch.allclose(bert(["Heavy rain, on the roof."]).embedding, expected, atol=1e-6)
    assert batch.ids.tolist() == [[2, *(5 + WORDS.index(word) for word in "heavy rain on the roof".split()), 3]]


def test_that_long_texts_are_cut_at_the_papers_limit(roberta, bert):
    text = " ".join(["dog barks"] * 300)
    assert roberta.tokenise([text]).ids.shape == (1, 32)
    assert bert.tokenise([text]).ids.shape == (1, 512)


def test_that_special_tokens_are_no_words(bert):
    batch = bert.tokenise(["a dog barks", "rain"])
    assert batch.token_mask.tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    assert batch.word_mask.tolist() == [
        [False, True, True, True, False],
        [False, True, False, False, False],
    ]


def test_that_dropout_is_the_papers_or_the_one_asked_for(roberta, roberta_folder):
    def rates(encoder):
        return {part.p for part in encoder.modules() if isinstance(part, torch.nn.Dropout)}

    assert rates(roberta) == {0.2}
    assert rates(load_text_encoder(_small("roberta-large"), roberta_folder, dropout=0.05)) == {0.05}


@pytest.mark.parametrize(("texts", "expected"), [([], "empty batch"), ("a dog", "sequence of texts"), ([3], "texts")])
def test_that_what_is_no_batch_of_texts_is_refused(bert, texts, expected):
    with pytest.raises(ValueError, match=expected):
        bert(texts)


def test_that_the_published_sizes_are_those_of_the_papers():
    with torch.device("meta"):
        bert = BertModel(BertConfig(), add_pooling_layer=False)
        roberta = RobertaModel(
            RobertaConfig(
                vocab_size=50265,
                hidden_size=1024,
                num_hidden_layers=24,
                num_attention_heads=16,
                intermediate_size=4096,
                max_position_embeddings=514,
                type_vocab_size=1,
            ),
            add_pooling_layer=False,
        )
    assert sum(parameter.numel() for parameter in bert.parameters()) == 108_891_648
    assert sum(parameter.numel() for parameter in roberta.parameters()) == 354_310_144
    assert (text_encoder_config("bert-base").dimension, text_encoder_config("roberta-large").dimension) == (768, 1024)


def test_that_an_unknown_name_lists_what_there_is():
    with pytest.raises(UnknownTextEncoderError, match="bert-base, minilm-l6, roberta-large"):
        text_encoder_config("bert")
    assert text_encoder_names() == ("bert-base", "minilm-l6", "roberta-large")


def test_that_a_folder_of_another_model_is_refused(bert_folder, tmp_path):
    with pytest.raises(ModelError, match="expected model_type 'roberta', found 'bert'"):
        load_text_encoder("roberta-large", bert_folder)
    with pytest.raises(ModelError, match="expected hidden_size 768, found 16"):
        load_text_encoder("bert-base", bert_folder)
    with pytest.raises(ModelError, match=r"expected config\.json there"):
        load_text_encoder("bert-base", tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_text_encoder("bert-base", tmp_path)


def test_that_a_folder_without_weights_is_refused_and_nothing_is_fetched(bert_folder, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((bert_folder / name).read_bytes())
    with pytest.raises(ModelError, match="holds no whole bert-base"):
        load_text_encoder(_small("bert-base"), tmp_path)


def test_that_weights_of_fewer_layers_are_refused(bert_folder, tmp_path):
    for file in bert_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 3}))
    with pytest.raises(ModelError, match=r"tensors are missing, among them encoder\.layer\.2"):
        load_text_encoder(replace(_small("bert-base"), layers=3), tmp_path)
