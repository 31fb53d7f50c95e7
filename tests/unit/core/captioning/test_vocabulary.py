from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_parameters import shared_folder

from core.captioning.stopword import STOPWORDS
from core.captioning.tokenizer import normalise_caption, split_words
from core.captioning.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from core.errors import ModelError


# What spaCy 3.8's blank English pipeline gives.
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A dog barks.", "A dog barks ."),
        ("a man's dog doesn't bark", "a man 's dog does n't bark"),
        ("dont stop, cant stop", "do nt stop , ca nt stop"),
        ("the birds' song", "the birds ' song"),
        ("high-pitched beeping", "high - pitched beeping"),
        ("cannot gonna it's 10pm", "can not gon na it 's 10 pm"),
        ("its engine, well tuned; were they", "its engine , well tuned ; were they"),
        ("(siren) *gulp*,", "( siren ) * gulp * ,"),
        ("speaks,and laughing.then", "speaks , and laughing.then"),
        ("metal/rock at 5km or 50%", "metal / rock at 5 km or 50 %"),
        ("it;s on|on", "it;s on|on"),
        ("o'clock ma'am p.m. b.", "o'clock ma'am p.m. b."),
        ("wait... what", "wait ... what"),
        ("I'll say we'd've gone", "I 'll say we 'd 've gone"),
        ("kids''", "kids ''"),
        ("sink/fountain 3-4", "sink / fountain 3 - 4"),
        ("the USA.", "the USA ."),
        ("whats that, thats it", "what s that , that s it"),
    ],
)
def test_that_text_falls_apart_as_in_spacy(text, tokens):
    assert split_words(text) == tokens.split(" ")


@settings(deadline=None)
@given(st.text())
def test_that_splitting_loses_nothing_but_white_space(text):
    tokens = split_words(text)
    assert "".join(tokens) == "".join(text.split())
    assert all(tokens)


@settings(deadline=None)
@given(st.text())
def test_that_normalising_twice_changes_nothing(text):
    once = normalise_caption(text)
    assert normalise_caption(once) == once


def test_that_punctuation_goes_and_apostrophes_stay():
    assert normalise_caption("  A man's dog, (barking) - LOUDLY! ") == "a man's dog barking loudly"


def test_that_words_are_numbered_in_training_order_after_the_special_tokens():
    vocabulary = Vocabulary.from_captions(["A dog barks", "a cat, a dog and rain"])
    assert vocabulary.words == ("a", "dog", "barks", "cat", "and", "rain")
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert vocabulary.encode("A cat barks at rain.") == [4, 7, 6, UNK, 9, EOS]
    assert len(vocabulary) == 10


def test_that_decoding_stops_at_the_end_and_joins_contractions():
    vocabulary = Vocabulary.from_captions(["a man's dog doesn't bark"])
    tokens = vocabulary.encode("a man's dog doesn't bark")
    assert vocabulary.decode([BOS, *tokens, 4, 4]) == "a man's dog doesn't bark"
    with pytest.raises(ValueError, match="outside the vocabulary of 11"):
        vocabulary.decode([99])


def test_that_a_vocabulary_survives_the_disk(tmp_path):
    vocabulary = Vocabulary.from_captions(["a café hums"])
    vocabulary.save(tmp_path / "words.json")
    assert Vocabulary.load(tmp_path / "words.json").words == ("a", "café", "hums")


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"words": [1]}', '{"words": ["a", "a"]}', '{"words": ["<pad>"]}'])
def test_that_a_file_that_is_no_vocabulary_is_refused(tmp_path, content):
    (tmp_path / "words.json").write_text(content)
    with pytest.raises(ModelError):
        Vocabulary.load(tmp_path / "words.json")
    with pytest.raises(ModelError):
        Vocabulary.load(tmp_path / "none.json")


def test_that_only_stopwords_may_come_again():
    vocabulary = Vocabulary.from_captions(["a dog and the cat"])
    flags = dict(zip(("<pad>", "<bos>", "<eos>", "<unk>", *vocabulary.words), vocabulary.content_words(), strict=True))
    assert [word for word in vocabulary.words if not flags[word]] == ["a", "and", "the"]
    assert len(STOPWORDS) == 179


@pytest.mark.slow
@pytest.mark.corpus
def test_that_real_captions_survive_encoding_and_decoding():
    folder = shared_folder()
    with (folder / "text" / "audiocaps_val.csv").open(encoding="utf-8") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    captions += [
        caption
        for line in (folder / "corpus" / "corpus.jsonl").read_text().splitlines()
        for caption in json.loads(line)["captions"]
    ]
    vocabulary = Vocabulary.from_captions(captions)
    for caption in captions:
        tokens = vocabulary.encode(caption)
        assert UNK not in tokens
        assert vocabulary.encode(vocabulary.decode(tokens)) == tokens
