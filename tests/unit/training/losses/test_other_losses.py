"""Losses on more than one vector per side, and next-word prediction."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from core.encoders.hierarchical import cross_modal_interaction
from training.losses import Batch
from training.losses.caption_cross_entropy import CaptionBatch, CaptionCrossEntropy
from training.losses.hci import HierarchicalBatch, HierarchicalLoss
from training.losses.text_caption_matching import CaptionedBatch, TextCaptionMatching, complement_scores

MATCHES = torch.eye(3, dtype=torch.bool)
COSINES = [[0.9, 0.8, 0.1], [0.3, 0.6, 0.5], [0.2, 0.7, 0.4]]


def total(parts):
    return torch.stack(list(parts.values())).sum()


def contrast_by_hand(scores: torch.Tensor, tau: float) -> float:
    """Both directions added, as printed in eq. 2 and 10."""
    loss = 0.0
    for matrix in (scores.tolist(), scores.T.tolist()):
        for i, row in enumerate(matrix):
            loss -= math.log(math.exp(row[i] / tau) / sum(math.exp(s / tau) for s in row)) / len(matrix)
    return loss


def unit_rows_with(cosines) -> torch.Tensor:
    """Unit vectors whose products with the first three axes are these cosines, scaled to fit."""
    scores = torch.tensor(cosines) / 2
    return torch.cat([scores, (1 - (scores**2).sum(dim=1, keepdim=True)).sqrt()], dim=1)


AXES = torch.eye(3, 4)


def hierarchical_batch(seed: int = 0, dtype: torch.dtype = torch.float64, pairs: int = 3) -> HierarchicalBatch:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, 5, generator=generator, dtype=torch.float64).to(dtype)

    frame_mask = torch.ones(pairs, 4, dtype=torch.bool)
    frame_mask[0, 2:] = False
    word_mask = torch.ones(pairs, 3, dtype=torch.bool)
    word_mask[1, 2] = False
    return HierarchicalBatch(
        clip=draw(pairs),
        sentence=draw(pairs),
        frames=draw(pairs, 4),
        frame_mask=frame_mask,
        words=draw(pairs, 3),
        word_mask=word_mask,
        segments=draw(pairs, 2),
        phrases=draw(pairs, 2),
        matches=torch.eye(pairs, dtype=torch.bool),
    )


def test_that_text_caption_matching_is_as_counted_by_hand():
    text = unit_rows_with(COSINES)
    parts = TextCaptionMatching(temperature=0.2)(CaptionedBatch(3 * text, AXES, MATCHES))
    assert float(total(parts)) == pytest.approx(contrast_by_hand(text[:, :3], 0.2), rel=1e-5)


def test_that_texts_with_the_same_generated_caption_can_be_left_out():
    text, caption = unit_rows_with(COSINES), AXES.clone()
    caption[1] = caption[0]
    matches = MATCHES.clone()
    matches[0, 1] = matches[1, 0] = True
    kept = total(TextCaptionMatching()(CaptionedBatch(text, caption, matches)))
    left_out = total(TextCaptionMatching(exclude_same_audio=True)(CaptionedBatch(text, caption, matches)))
    assert float(left_out) < float(kept)


def test_that_caption_scores_complement_audio_scores():
    audio, caption = torch.tensor([[0.2, 0.4]]), torch.tensor([[0.5, 0.1]])
    assert complement_scores(audio, caption, weight=0.5).tolist() == [pytest.approx([0.45, 0.45])]
    with pytest.raises(ValueError, match="one shape"):
        complement_scores(audio, caption.T, weight=0.5)


def test_that_hci_is_the_weighted_sum_of_its_levels_counted_by_hand():
    batch = hierarchical_batch()
    parts = HierarchicalLoss(temperature=0.3, alpha=0.5, beta=0.1)(batch)
    cosines = normalize(batch.clip, dim=-1) @ normalize(batch.sentence, dim=-1).T
    frame_word = cross_modal_interaction(batch.frames, batch.words, batch.frame_mask, batch.word_mask)
    segment_phrase = cross_modal_interaction(batch.segments, batch.phrases)
    assert float(parts["clip_sentence"]) == pytest.approx(contrast_by_hand(cosines, 0.3))
    assert float(parts["frame_word"]) == pytest.approx(0.5 * contrast_by_hand(frame_word, 0.3))
    assert float(parts["segment_phrase"]) == pytest.approx(0.1 * contrast_by_hand(segment_phrase, 0.3))


def test_that_a_level_without_weight_is_left_out():
    assert set(HierarchicalLoss(alpha=0, beta=0)(hierarchical_batch())) == {"clip_sentence"}


def test_that_hci_gradients_are_those_of_finite_differences():
    batch = hierarchical_batch()
    names = ("clip", "sentence", "frames", "words", "segments", "phrases")

    def from_features(*features):
        masks = {name: getattr(batch, name) for name in ("frame_mask", "word_mask", "matches")}
        return total(
            HierarchicalLoss(temperature=0.5)(HierarchicalBatch(**dict(zip(names, features, strict=True)), **masks))
        )

    assert torch.autograd.gradcheck(from_features, [getattr(batch, n).clone().requires_grad_() for n in names])


def test_that_text_caption_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(1)
    features = [torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    loss = TextCaptionMatching(temperature=0.5)
    assert torch.autograd.gradcheck(lambda t, c: total(loss(CaptionedBatch(t, c, MATCHES))), features)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_that_hci_is_safe_in_half_precision(dtype):
    exact = total(HierarchicalLoss()(hierarchical_batch(pairs=16)))
    half = total(HierarchicalLoss()(hierarchical_batch(pairs=16, dtype=dtype)))
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(exact), rel=0.03)


def test_that_label_smoothing_is_as_counted_by_hand():
    logits = torch.tensor([[[1.0, 2.0, 0.5], [0.0, 0.0, 3.0], [9.0, 9.0, 9.0]]])
    targets = torch.tensor([[1, 2, 0]])
    expected = 0.0
    for row, word in zip(logits[0, :2].tolist(), (1, 2), strict=True):
        log_sum = math.log(sum(map(math.exp, row)))
        log_p = [s - log_sum for s in row]
        expected -= 0.8 * log_p[word] + 0.2 / 3 * sum(log_p)
    loss = CaptionCrossEntropy(smoothing=0.2)(CaptionBatch(logits, targets))["caption"]
    assert float(loss) == pytest.approx(expected / 2, rel=1e-6)


def test_that_padding_teaches_nothing():
    logits = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    targets = torch.tensor([[3, 2, 0, 0], [5, 6, 4, 2]])
    CaptionCrossEntropy()(CaptionBatch(logits, targets))["caption"].backward()
    assert float(logits.grad[0, 2:].abs().max()) == 0.0
    assert float(logits.grad[0, :2].abs().max()) > 0.0


def test_that_large_half_precision_logits_stay_finite():
    logits = torch.full((1, 2, 5), 6e4, dtype=torch.float16)
    logits[..., 1] = -6e4
    loss = CaptionCrossEntropy()(CaptionBatch(logits, torch.tensor([[2, 1]])))["caption"]
    assert torch.isfinite(loss)


def test_that_other_batches_are_refused_by_name():
    plain = Batch(torch.ones(2, 3), torch.ones(2, 3), torch.eye(2).bool(), torch.ones(2, 2))
    for loss, wanted in (
        (HierarchicalLoss(), "HierarchicalBatch"),
        (TextCaptionMatching(), "CaptionedBatch"),
        (CaptionCrossEntropy(), "CaptionBatch"),
    ):
        with pytest.raises(TypeError, match=f"expected a {wanted}, got Batch"):
            loss(plain)


def test_that_bad_shapes_and_settings_are_refused():
    with pytest.raises(ValueError, match="logits"):
        CaptionCrossEntropy()(CaptionBatch(torch.zeros(2, 3, 5), torch.ones(2, 4, dtype=torch.long)))
    with pytest.raises(ValueError, match="nothing but padding"):
        CaptionCrossEntropy()(CaptionBatch(torch.zeros(2, 3, 5), torch.zeros(2, 3, dtype=torch.long)))
    with pytest.raises(ValueError, match="as many features"):
        TextCaptionMatching()(CaptionedBatch(torch.zeros(2, 3), torch.zeros(3, 3), MATCHES))
    for make in (
        lambda: CaptionCrossEntropy(smoothing=1.0),
        lambda: TextCaptionMatching(temperature=0),
        lambda: HierarchicalLoss(temperature=0),
        lambda: HierarchicalLoss(alpha=-1),
    ):
        with pytest.raises(ValueError, match=r"smoothing|temperature|tau"):
            make()
