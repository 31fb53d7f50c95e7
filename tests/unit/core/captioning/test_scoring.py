from __future__ import annotations

import pytest
import torch
from caption_decoders import WORDS, small_decoder, some_audio
from hypothesis import given, settings
from hypothesis import strategies as st

from core.captioning.prefix import build_prefix_tree
from core.captioning.scoring import rank_audios, rank_captions, scale_captions, score_captions
from core.captioning.vocabulary import BOS, EOS

CAPTIONS = [[4, 5, 6, EOS], [4, 5, 7, 8, 9, EOS], [4, 5, 6, EOS], [EOS], [10, EOS], [4, 5, 6, 11, EOS]]

# Table 3 of the paper: rows are audios, columns captions; caption i belongs to audio i.
TABLE_3 = torch.tensor([[1.7, 8.4, 8.1], [2.1, 7.6, 8.5], [2.0, 8.3, 6.5]])


def one_pair_at_a_time(decoder, audio, captions) -> torch.Tensor:
    losses = torch.empty(len(audio), len(captions))
    with torch.inference_mode():
        for i in range(len(audio)):
            for j, caption in enumerate(captions):
                logits = decoder(audio.select(slice(i, i + 1)), torch.tensor([[BOS, *caption[:-1]]]))[0]
                losses[i, j] = torch.nn.functional.cross_entropy(logits, torch.tensor(caption))
    return losses


@pytest.mark.parametrize("kind", ["transformer", "gru"])
@pytest.mark.parametrize("prefixes_at_once", [1, 7, 20, 4096])
def test_that_batches_score_as_one_pair_at_a_time_does(kind, prefixes_at_once):
    decoder = small_decoder(kind)
    audio = some_audio(5)
    together = score_captions(decoder, audio, CAPTIONS, prefixes_at_once=prefixes_at_once)
    assert torch.allclose(together, one_pair_at_a_time(decoder, audio, CAPTIONS), atol=1e-5)


def test_that_equal_captions_get_equal_scores():
    losses = score_captions(small_decoder("transformer"), some_audio(), CAPTIONS)
    assert torch.equal(losses[:, 0], losses[:, 2])


def test_that_scores_follow_their_audios_and_captions():
    decoder = small_decoder("transformer")
    audio = some_audio(5)
    losses = score_captions(decoder, audio, CAPTIONS)
    audios, captions = [3, 1, 4, 0, 2], [5, 0, 3, 1, 4, 2]
    moved = score_captions(decoder, audio.select(torch.tensor(audios)), [CAPTIONS[i] for i in captions])
    assert torch.allclose(moved, losses[audios][:, captions], atol=1e-5)


def test_that_scoring_ignores_dropout_and_leaves_the_training_mode():
    decoder = small_decoder("transformer").train()
    first = score_captions(decoder, some_audio(), CAPTIONS)
    assert decoder.training
    assert torch.equal(first, score_captions(decoder.eval(), some_audio(), CAPTIONS))


def test_that_half_precision_scores_nearly_the_same():
    decoder = small_decoder("transformer")
    audio = some_audio()
    full = score_captions(decoder, audio, CAPTIONS)
    half = score_captions(decoder.to(torch.bfloat16), audio.to(dtype=torch.bfloat16), CAPTIONS)
    assert half.dtype == torch.float32
    assert torch.allclose(full, half, rtol=0.03, atol=0.03)


def test_that_captions_that_cannot_be_scored_are_named():
    decoder = small_decoder("gru")
    with pytest.raises(ValueError, match="no captions"):
        score_captions(decoder, some_audio(), [])
    with pytest.raises(ValueError, match="no tokens"):
        score_captions(decoder, some_audio(), [[4, EOS], []])
    with pytest.raises(ValueError, match=f"token 77 is outside the vocabulary of {WORDS}"):
        score_captions(decoder, some_audio(), [[77, EOS]])
    with pytest.raises(ValueError, match="token -1 is outside"):
        score_captions(decoder, some_audio(), [[-1, EOS]])


def test_that_shared_prefixes_are_computed_once():
    tree = build_prefix_tree(CAPTIONS, bos=BOS)
    prefixes = {tuple(caption[:length]) for caption in CAPTIONS for length in range(len(caption))}
    assert tree.size == len(prefixes) == 9


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(4, 7), min_size=1, max_size=6), min_size=1, max_size=8))
def test_that_a_tree_leads_back_to_its_captions(captions):
    tree = build_prefix_tree(captions, bos=BOS)
    for row, caption in enumerate(captions):
        for place in range(len(caption)):
            node = int(tree.path[row, place])
            words = []
            while node:
                assert int(tree.parent[node]) < node
                words.append(int(tree.tokens[node]))
                node = int(tree.parent[node])
            assert words[::-1] == caption[:place]
            assert int(tree.targets[row, place]) == caption[place]
        assert (tree.targets[row, len(caption) :] == -1).all()
    assert tree.path.flatten()[tree.example].tolist() == list(range(tree.size))


def test_that_text_to_audio_takes_the_least_loss_of_a_column():
    assert rank_audios(TABLE_3)[:, 0].tolist() == [0, 1, 2]


def test_that_one_caption_wins_every_audio_unless_columns_are_scaled():
    assert rank_captions(TABLE_3, scaled=False)[:, 0].tolist() == [0, 0, 0]
    assert rank_captions(TABLE_3)[:, 0].tolist() == [0, 1, 2]


def test_that_scaling_is_by_hand_what_the_paper_says():
    scaled = scale_captions(TABLE_3)
    assert scaled[:, 0].tolist() == pytest.approx([0.0, 1.0, 0.75], abs=1e-5)
    assert scaled[:, 2].tolist() == pytest.approx([0.8, 1.0, 0.0], abs=1e-5)


def test_that_the_raw_loss_decides_between_equals():
    losses = torch.tensor([[3.0, 1.0, 2.0], [4.0, 2.0, 5.0]])
    assert rank_captions(losses)[0].tolist() == [1, 2, 0]
    assert rank_captions(losses)[1].tolist() == [1, 0, 2]


def test_that_a_caption_without_spread_is_neither_nan_nor_infinite():
    losses = torch.tensor([[2.0, 1.0], [2.0, 3.0]])
    assert torch.equal(scale_captions(losses), torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    assert torch.isfinite(scale_captions(losses[:1])).all()


@settings(deadline=None)
@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_that_scaling_undoes_any_caption_of_its_own_level_and_range(factor, offset):
    changed = TABLE_3.clone()
    changed[:, 1] = changed[:, 1] * factor + offset
    assert torch.allclose(scale_captions(changed), scale_captions(TABLE_3), atol=1e-4)


def test_that_losses_that_are_no_matrix_are_refused():
    for wrong in (torch.zeros(3), torch.zeros(0, 3)):
        with pytest.raises(ValueError, match="expected losses"):
            rank_captions(wrong)
    with pytest.raises(ValueError, match="NaN"):
        rank_audios(torch.full((2, 2), float("nan")))
