from __future__ import annotations

import pytest
import torch

from core.encoders.head import AudioHead, TextHead

CLASSES, SENTENCE = 6, 8


@pytest.fixture
def names() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.nn.functional.normalize(torch.randn(CLASSES, SENTENCE), dim=1)


def _heads(names: torch.Tensor, profile: int = 0) -> tuple[AudioHead, TextHead]:
    sizes = {"classes": CLASSES, "sentence_dimension": SENTENCE, "hidden": 5, "profile_dimension": profile}
    audio, text = AudioHead(trunk_dimension=4, **sizes).eval(), TextHead(**sizes).eval()
    audio.set_class_names(names)
    text.set_class_names(3.0 * names)
    return audio, text


def test_that_the_start_is_the_training_free_space(names: torch.Tensor) -> None:
    audio, text = _heads(names)
    logits = torch.tensor([[4.0, -5.0, -5.0, -5.0, 1.0, -5.0]])
    mean = (torch.sigmoid(logits) @ names)[0]
    torch.testing.assert_close(audio(torch.randn(1, 4), logits)[0], mean / mean.norm())
    sentence = torch.randn(1, SENTENCE)
    torch.testing.assert_close(text(sentence)[0], sentence[0] / sentence.norm())


def test_that_profiles_multiply_to_the_training_free_score(names: torch.Tensor) -> None:
    audio, text = _heads(names, profile=CLASSES)
    for head in (audio, text):
        assert head.profile is not None
        assert head.profile_weight is not None
        torch.nn.init.eye_(head.profile.weight)
        # A profile this heavy leaves nothing of the meaning part.
        torch.nn.init.constant_(head.profile_weight, 1e4)
    logits = torch.randn(9, CLASSES)
    sentence = names[2:3] + 0.1
    score = audio(torch.randn(9, 4), logits) @ text(sentence)[0]
    means = torch.softmax(torch.nn.functional.normalize(sentence, dim=1) @ names.T / 0.03, dim=1)[0]
    expected = torch.nn.functional.normalize(torch.sigmoid(logits), dim=1) @ (means / means.norm())
    torch.testing.assert_close(score, expected, rtol=1e-3, atol=1e-4)
    assert audio.dimension == text.dimension == CLASSES + SENTENCE


def test_that_both_sides_have_unit_length_and_learn(names: torch.Tensor) -> None:
    audio, text = _heads(names, profile=3)
    sound, words = audio(torch.randn(5, 4), torch.randn(5, CLASSES)), text(torch.randn(5, SENTENCE))
    for vectors in (sound, words):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    (sound * words).sum().backward()
    for head in (audio, text):
        assert head.residual is not None
        assert head.residual[3].weight.grad is not None
        assert head.residual[3].weight.grad.abs().sum() > 0
