from __future__ import annotations

import ast
import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_parameters import shared_folder

from training.metrics.bleu import bleu
from training.metrics.caption_score import CaptionScore
from training.metrics.cider import cider_d
from training.metrics.fense import fense, sentence_similarity
from training.metrics.lexical import mtld, vocabulary_size
from training.metrics.rouge import rouge_l
from training.metrics.spider import penalise_errors, spider

CANDIDATES = ["a dog barks loudly", "rain falls", "a man speaks"]
REFERENCES = [
    ["a dog barks", "the dog barks loudly at a man"],
    ["rain is falling", "rain falls hard on a roof"],
    ["a man speaks", "someone talks"],
]


@pytest.mark.corpus
def test_that_every_sentence_scores_as_the_public_package_scored_it():
    path = shared_folder() / "golden" / "captioning-metrics-clotho-eval.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    candidates = [row["cands"] for row in rows]
    references = [ast.literal_eval(row["mrefs"]) for row in rows]

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in rows])

    figures = bleu(candidates, references)
    ours = {
        "bleu_1": figures["bleu_1"],
        "bleu_4": figures["bleu_4"],
        "rouge_l": rouge_l(candidates, references),
        "cider_d": cider_d(candidates, references),
    }
    ours["spider"] = spider(ours["cider_d"], CaptionScore.mean_of(column("spice")))
    broken = column("fer.error_prob")
    ours["spider_fl"] = penalise_errors(ours["spider"], broken)
    ours["fense"] = penalise_errors(CaptionScore.mean_of(column("sbert_sim")), broken)
    assert (broken > 0.9).any()
    for name, score in ours.items():
        assert np.abs(score.sentences - column(name)).max() < 1e-6, name


def test_that_bleu_is_as_counted_by_hand():
    figures = bleu(["a dog barks a dog"], [["a dog runs", "the dog barks at a cat"]])
    # "a" and "dog" may count once each, the most in one reference; "barks" once: 3 of 5. Pairs: "a dog", "dog barks",
    # once each: 2 of 4. The references have 3 and 6 words; 6 is nearer to 5.
    brevity = math.exp(1 - 6 / 5)
    assert figures["bleu_1"].corpus == pytest.approx(3 / 5 * brevity, abs=1e-8)
    assert figures["bleu_2"].corpus == pytest.approx(math.sqrt(3 / 5 * 2 / 4) * brevity, abs=1e-8)


def test_that_bleu_adds_counts_up_over_the_corpus():
    figures = bleu(["a b", "c d e f"], [["a b"], ["c x y z"]], longest=1)
    assert figures["bleu_1"].sentences.tolist() == pytest.approx([1.0, 0.25], abs=1e-8)
    assert figures["bleu_1"].corpus == pytest.approx(3 / 6, abs=1e-8)


def test_that_the_shorter_of_two_references_equally_near_counts():
    figures = bleu(["a b c"], [["a b", "a b c d"]], longest=1)
    assert figures["bleu_1"].corpus == pytest.approx(1.0, abs=1e-8)


def test_that_rouge_l_is_as_counted_by_hand():
    # Longest common subsequences: "a dog" (2) with the first, "dog loudly" (2) with the second.
    score = rouge_l(["a dog barks loudly"], [["a big dog", "the dog howls very loudly now"]])
    precision, recall = 2 / 4, 2 / 3
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert score.corpus == pytest.approx(expected)
    assert rouge_l(["a b"], [["c d"]]).corpus == 0.0
    assert rouge_l([""], [["c d"]]).corpus == 0.0


def test_that_cider_d_is_as_counted_by_hand():
    # Two items. "x" is in the references of both and weighs log 2 - log 2 = 0; "a" and "b" weigh log 2.
    candidates, references = ["a x", "b"], [["a x"], ["x b"]]
    score = cider_d(candidates, references)
    # First: single words 1, pairs "a x" 1, no longer runs; the same length: 10 (1 + 1 + 0 + 0) / 4.
    assert score.sentences[0] == pytest.approx(10 * 2 / 4)
    # Second: single words agree, no pair; lengths differ by one pair.
    assert score.sentences[1] == pytest.approx(10 * math.exp(-1 / 72) / 4)
    assert score.corpus == pytest.approx(score.sentences.mean())


def test_that_cider_d_clips_what_a_caption_repeats():
    references = [["a b"], ["c d"]]
    once, often = cider_d(["a b", "c"], references), cider_d(["a a a b", "c"], references)
    # Clipped: min(3, 1) * 1 + 1 over sqrt(10) sqrt(2) for words; the pair "a b" is one of three, "a a" counts double.
    length_gap = math.exp(-(2**2) / 72)
    expected = 10 / 4 * length_gap * (2 / math.sqrt(20) + 1 / math.sqrt(1 + 4))
    assert often.sentences[0] == pytest.approx(expected)
    assert often.sentences[0] < once.sentences[0] == pytest.approx(5.0)


words = st.lists(st.sampled_from(["a", "dog", "barks", "rain", "falls"]), min_size=1, max_size=8).map(" ".join)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(words, st.lists(words, min_size=1, max_size=3)), min_size=2, max_size=5), st.randoms())
def test_that_metrics_follow_the_order_of_sentences_and_ignore_that_of_references(pairs, random):
    order = list(range(len(pairs)))
    random.shuffle(order)

    def both(shuffled):
        candidates = [candidate for candidate, _ in shuffled]
        references = [sorted(group, key=lambda _: random.random()) for _, group in shuffled]
        return [
            bleu(candidates, references)["bleu_4"],
            rouge_l(candidates, references),
            cider_d(candidates, references),
        ]

    for before, after in zip(both(pairs), both([pairs[i] for i in order]), strict=True):
        assert np.allclose(before.sentences[order], after.sentences)
        assert before.corpus == pytest.approx(after.corpus)


@settings(deadline=None, max_examples=50)
@given(words)
def test_that_a_perfect_caption_gets_the_highest_score(caption):
    other = "something else entirely"
    assert bleu([caption], [[caption]])["bleu_1"].corpus == pytest.approx(1.0, abs=1e-8)
    assert rouge_l([caption], [[other, caption]]).corpus == pytest.approx(1.0)
    runs = min(4, len(caption.split()))
    assert cider_d([caption, other], [[caption], [other]]).sentences[0] == pytest.approx(10 * runs / 4)


def test_that_spider_is_the_mean_and_its_fluent_form_loses_nine_tenths():
    cider, spice = CaptionScore.mean_of([1.0, 0.4]), CaptionScore.mean_of([0.2, 0.0])
    both = spider(cider, spice)
    assert both.sentences.tolist() == pytest.approx([0.6, 0.2])
    assert both.corpus == pytest.approx(0.4)
    fluent = penalise_errors(both, [0.95, 0.9])
    assert fluent.sentences.tolist() == pytest.approx([0.06, 0.2])
    assert fluent.corpus == pytest.approx(0.13)
    with pytest.raises(ValueError, match="SPICE of 1"):
        spider(cider, CaptionScore.mean_of([1.0]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        penalise_errors(both, [0.5, math.nan])
    with pytest.raises(ValueError, match="1 probabilities for 2"):
        penalise_errors(both, [0.5])


def letters(texts):
    return np.array([[text.count("a"), text.count("b")] for text in texts], dtype=np.float32)


def test_that_fense_is_the_mean_cosine_less_the_penalty():
    told = fense(
        ["a", "ab"],
        [["aaa", "b"], ["ab"]],
        encoder=letters,
        fluency=lambda texts: np.array([0.1 if len(text) == 1 else 0.99 for text in texts]),
    )
    assert told.similarity.sentences.tolist() == pytest.approx([0.5, 1.0])
    assert told.fense.sentences.tolist() == pytest.approx([0.5, 0.1])
    assert told.fense.corpus == pytest.approx(0.3)


def test_that_an_encoder_that_gives_no_vectors_is_refused():
    with pytest.raises(ValueError, match="one finite vector for each of 1 texts"):
        sentence_similarity(["a"], [["b"]], lambda texts: np.full((len(texts), 2), np.nan))


def test_that_mtld_is_as_counted_by_hand():
    # Forwards: a b a -> 2/3 = .667 <= .72, one factor; c d c -> one factor; e: ratio 1, nothing. 7 words / 2 factors.
    # Backwards: e c d c -> 3/4 = .75, a -> 4/5, b -> 5/6, a -> 5/7 = .714, one factor: 7 / 1.
    assert mtld("a b a c d c e".split()) == pytest.approx((7 / 2 + 7 / 1) / 2)
    # A rest that never comes down: 5 words, 4 different, ratio .8: (1 - .8) / (1 - .72) of a factor, both ways.
    assert mtld("a b c d a".split()) == pytest.approx(5 / (0.2 / 0.28))
    assert mtld("all words differ here".split()) == 4.0
    with pytest.raises(ValueError, match="no words"):
        mtld([])
    with pytest.raises(ValueError, match="threshold"):
        mtld(["a"], threshold=1.0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60))
def test_that_mtld_is_the_same_backwards(text):
    assert mtld(text) == pytest.approx(mtld(text[::-1]))


def test_that_the_vocabulary_counts_each_word_once():
    assert vocabulary_size(["a dog", "a cat", ""]) == 3


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [
        ([], [], "no candidates"),
        (["a"], [], "references for 0"),
        (["a", "b"], [["a"], []], "candidate 1 has no reference"),
        ("a", [["a"]], "got a string"),
        (["a"], ["a"], "got a string"),
    ],
)
def test_that_captions_without_references_are_refused(candidates, references, message):
    for metric in (bleu, rouge_l, cider_d):
        with pytest.raises(ValueError, match=message):
            metric(candidates, references)
