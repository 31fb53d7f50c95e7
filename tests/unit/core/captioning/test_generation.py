from __future__ import annotations

import math

import pytest
import torch
from caption_decoders import WORDS, TableDecoder, small_decoder, some_audio

from core.captioning.generation import GeneratedCaption, GenerationConfig, generate_captions, generate_greedily
from core.captioning.vocabulary import BOS, EOS, PAD, UNK

A, B, C = 4, 5, 6


def table(**rows: dict[int, float]) -> TableDecoder:
    """Probabilities after bos and after the words a, b, c; what is not given is (almost) impossible."""
    probabilities = torch.full((7, 7), 1e-9)
    for name, row in rows.items():
        number = {"bos": BOS, "a": A, "b": B, "c": C}[name]
        for word, probability in row.items():
            probabilities[number, word] = probability
    return TableDecoder(probabilities)


def one_audio():
    return some_audio(1)


def test_that_greedy_takes_the_likeliest_word_at_each_step():
    decoder = table(bos={A: 0.6, B: 0.4}, a={B: 0.5, C: 0.3, EOS: 0.2}, b={EOS: 0.9, C: 0.1})
    [caption] = generate_greedily(decoder, one_audio(), config=GenerationConfig(shortest=0))
    assert caption.tokens == (A, B, EOS)
    assert caption.mean_log_probability == pytest.approx((math.log(0.6) + math.log(0.5) + math.log(0.9)) / 3, abs=1e-4)


def test_that_beams_find_what_greed_misses():
    decoder = table(bos={A: 0.55, B: 0.45}, a={C: 0.6, B: 0.4}, b={EOS: 1.0}, c={EOS: 0.6, B: 0.4})
    [greedy] = generate_greedily(decoder, one_audio(), config=GenerationConfig(shortest=0))
    assert greedy.tokens == (A, C, EOS)
    [beams] = generate_captions(decoder, one_audio(), config=GenerationConfig(beams=2, shortest=0))
    assert [beam.tokens for beam in beams] == [(B, EOS), (A, C, EOS)]
    assert beams[0].mean_log_probability == pytest.approx(math.log(0.45) / 2, abs=1e-4)
    assert beams[1].mean_log_probability == pytest.approx(math.log(0.55 * 0.6 * 0.6) / 3, abs=1e-4)


def test_that_a_caption_has_its_shortest_length_before_it_ends():
    decoder = table(bos={EOS: 0.98, A: 0.02}, a={EOS: 0.98, A: 0.02})
    for shortest in (0, 1, 3):
        [caption] = generate_greedily(decoder, one_audio(), config=GenerationConfig(shortest=shortest))
        assert caption.tokens == (A,) * shortest + (EOS,)


def test_that_a_caption_is_cut_at_its_longest_length():
    decoder = table(bos={A: 1.0}, a={A: 1.0})
    [caption] = generate_greedily(decoder, one_audio(), config=GenerationConfig(longest=5))
    assert caption.tokens == (A,) * 5
    assert caption.mean_log_probability == pytest.approx(0.0, abs=1e-6)


def test_that_a_content_word_comes_once_and_others_share_its_probability():
    decoder = table(bos={A: 1.0}, a={A: 0.8, B: 0.1, C: 0.1}, b={EOS: 1.0}, c={EOS: 1.0})
    once = [False] * 4 + [True, True, True]
    config = GenerationConfig(shortest=0)
    [caption] = generate_greedily(decoder, one_audio(), content_words=once, config=config)
    assert caption.tokens in [(A, B, EOS), (A, C, EOS)]
    assert caption.mean_log_probability == pytest.approx(math.log(0.5) / 3, abs=1e-4)
    stop = [False] * 7
    [repeating] = generate_greedily(decoder, one_audio(), content_words=stop, config=GenerationConfig(longest=6))
    assert repeating.tokens == (A,) * 6


def test_that_a_caption_ends_when_every_word_was_said():
    decoder = table(bos={A: 1.0}, a={A: 1.0})
    once = [True] * 7
    [caption] = generate_greedily(decoder, one_audio(), content_words=once, config=GenerationConfig(shortest=6))
    assert sorted(caption.tokens[:-1]) == [UNK, A, B, C]
    assert caption.tokens[-1] == EOS
    assert math.isfinite(caption.mean_log_probability)


def test_that_padding_and_bos_are_never_said():
    decoder = table(bos={PAD: 0.5, BOS: 0.3, A: 0.2}, a={PAD: 0.9, EOS: 0.1})
    [caption] = generate_greedily(decoder, one_audio(), config=GenerationConfig(shortest=0))
    assert caption.tokens == (A, EOS)


def searched_by_hand(decoder, audio, once, config: GenerationConfig) -> list[GeneratedCaption]:
    """Beam search for one audio in plain loops, every prefix computed anew."""
    live = [((), 0.0)]
    done = []
    for place in range(config.longest):
        candidates = []
        for tokens, total in live:
            prefix = torch.tensor([[config.bos, *tokens]])
            with torch.inference_mode():
                logits = decoder(audio, prefix)[0, -1].tolist()
            for word in range(len(logits)):
                said = word in tokens and once[word]
                if said or word in config.never or (word == config.eos and place < config.shortest):
                    logits[word] = -math.inf
            scores = torch.tensor(logits).log_softmax(dim=0)
            candidates += [((*tokens, word), total + float(scores[word])) for word in range(len(logits))]
        candidates.sort(key=lambda candidate: -candidate[1])
        live = []
        for tokens, total in candidates[: config.beams - len(done)]:
            if tokens[-1] == config.eos or place == config.longest - 1:
                done.append(GeneratedCaption(tokens, total / (place + 1)))
            else:
                live.append((tokens, total))
        if not live:
            break
    return sorted(done, key=lambda caption: -caption.mean_log_probability)


@pytest.mark.parametrize("kind", ["transformer", "gru"])
@pytest.mark.parametrize("beams", [1, 2, 3, 5])
@pytest.mark.parametrize("cached", [True, False])
def test_that_the_batched_search_is_the_search_by_hand(kind, beams, cached):
    decoder = small_decoder(kind, seed=beams)
    audio = some_audio(4)
    once = [False] * 10 + [True] * (WORDS - 10)
    config = GenerationConfig(beams=beams, longest=8)
    found = generate_captions(decoder, audio, content_words=once, config=config, cached=cached)
    ended_early = False
    for number, beams_found in enumerate(found):
        expected = searched_by_hand(decoder, audio.select(slice(number, number + 1)), once, config)
        assert [beam.tokens for beam in beams_found] == [beam.tokens for beam in expected]
        for ours, theirs in zip(beams_found, expected, strict=True):
            assert ours.mean_log_probability == pytest.approx(theirs.mean_log_probability, abs=1e-5)
        ended_early |= any(len(beam.tokens) < config.longest for beam in beams_found)
    assert len(found) == 4
    assert ended_early


@pytest.mark.parametrize("kind", ["transformer", "gru"])
def test_that_the_cache_changes_nothing(kind):
    decoder = small_decoder(kind)
    audio = some_audio(3)
    state = decoder.start(audio)
    tokens = torch.randint(4, WORDS, (3, 9), generator=torch.Generator().manual_seed(5))
    tokens[:, 0] = BOS
    with torch.inference_mode():
        whole = decoder(audio, tokens)
        for place in range(9):
            assert torch.allclose(state.step(tokens[:, place]), whole[:, place], atol=1e-5)


@pytest.mark.parametrize("kind", ["transformer", "gru"])
def test_that_rows_can_be_dropped_doubled_and_exchanged(kind):
    decoder = small_decoder(kind)
    audio = some_audio(3)
    rows = torch.tensor([2, 2, 0])
    with torch.inference_mode():
        state = decoder.start(audio)
        state.step(torch.tensor([BOS, BOS, BOS]))
        state.step(torch.tensor([7, 8, 9]))
        state.select(rows)
        after = state.step(torch.tensor([4, 5, 6]))
        tokens = torch.tensor([[BOS, 9, 4], [BOS, 9, 5], [BOS, 7, 6]])
        assert torch.allclose(after, decoder(audio.select(rows), tokens)[:, -1], atol=1e-5)


def test_that_generation_leaves_the_training_mode_as_it_was():
    decoder = small_decoder("transformer").train()
    first = generate_greedily(decoder, some_audio())
    assert decoder.training
    assert generate_greedily(decoder, some_audio()) == first


def test_that_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="at least one beam"):
        GenerationConfig(beams=0)
    with pytest.raises(ValueError, match="shortest < longest"):
        GenerationConfig(shortest=5, longest=5)
    with pytest.raises(ValueError, match="expected 30 flags"):
        generate_captions(small_decoder("gru"), some_audio(), content_words=[True])


def test_that_no_caption_ends_with_an_open_word():
    decoder = table(bos={A: 1.0}, a={EOS: 0.9, B: 0.1}, b={EOS: 1.0})
    [caption] = generate_greedily(decoder, one_audio(), config=GenerationConfig(shortest=0, open_words=(A,)))
    assert caption.tokens == (A, B, EOS)


def test_that_a_caption_that_was_broken_off_comes_last():
    decoder = table(bos={A: 0.9, B: 0.1}, a={A: 1.0}, b={EOS: 1.0})
    config = GenerationConfig(beams=2, shortest=0, longest=4, open_words=(C,))
    [beams] = generate_captions(decoder, one_audio(), config=config)
    assert [beam.tokens for beam in beams] == [(B, EOS), (A, A, A, A)]
