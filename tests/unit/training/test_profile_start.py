from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import normalize

from core.encoders.profile_head import ProfileAudioHead, ProfileTextHead
from training.start import profile_basis, text_profile


def profiles(rows: int, classes: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.dirichlet(np.full(classes, 0.2), rows).astype(np.float32)


def test_that_a_basis_is_orthonormal_and_keeps_what_texts_say() -> None:
    rows = profiles(200, 20)
    rows[:, 12:] = 0.0
    basis = profile_basis(rows, 12)
    assert np.allclose(basis.T @ basis, np.eye(12), atol=1e-5)
    assert np.allclose(rows @ basis @ basis.T, rows, atol=1e-4)


def test_that_fresh_heads_score_without_training() -> None:
    torch.manual_seed(0)
    classes, trunk, sentence = 20, 6, 16
    names = normalize(torch.randn(classes, sentence), dim=-1)
    basis = torch.from_numpy(profile_basis(profiles(50, classes), classes))
    audio = ProfileAudioHead(trunk_dimension=trunk, classes=classes, dimension=classes, hidden=8, power=1.0).eval()
    text = ProfileTextHead(classes=classes, sentence_dimension=sentence, dimension=classes, hidden=8).eval()
    audio.set_start(basis=basis, mean=torch.zeros(trunk + classes), scale=torch.ones(trunk + classes))
    text.set_start(basis=basis, class_names=names)
    sentences, logits = normalize(torch.randn(5, sentence), dim=-1), torch.randn(9, classes)
    with torch.inference_mode():
        scores = text(sentences) @ audio(torch.randn(9, trunk), logits).T
    expected = (
        normalize(text_profile(sentences, names, temperature=0.03), dim=-1) @ normalize(logits.sigmoid(), dim=-1).T
    )
    assert torch.allclose(scores, expected, atol=1e-5)


def test_that_a_sound_unlike_any_other_is_answered_as_one_at_the_limit() -> None:
    torch.manual_seed(0)
    head = ProfileAudioHead(trunk_dimension=6, classes=4, dimension=4, hidden=8, input_limit=2.0).eval()
    torch.nn.init.normal_(head.residual[-1].weight)
    logits = torch.zeros(2, 4)
    with torch.inference_mode():
        at_the_limit, beyond = head(torch.full((2, 6), 2.0) * torch.tensor([[1.0], [50.0]]), logits)
        inside = head(torch.full((1, 6), 1.0), logits[:1])[0]
    torch.testing.assert_close(beyond, at_the_limit)
    assert float((inside - at_the_limit).abs().max()) > 1e-3
