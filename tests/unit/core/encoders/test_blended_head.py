from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from core.encoders.blended_head import BlendedAudioHead, BlendedTextHead

_TRUNK, _CLASSES, _SENTENCE, _LEARNED = 6, 10, 8, 5
_WHOLE = _LEARNED + _CLASSES
_MOST, _LEAST, _NAMED = 0.9, 0.05, 0.25


def audio_head(*, dimension: int = _WHOLE) -> BlendedAudioHead:
    torch.manual_seed(0)
    learned = {"trunk_dimension": _TRUNK, "classes": _CLASSES, "dimension": _LEARNED, "hidden": 8}
    head = BlendedAudioHead(
        learned=learned, dimension=dimension, centres=2, embedding_dimension=3, far=0.2, near=0.8, most=_MOST
    )
    head.set_centres(torch.ones(3), torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]))
    return head.eval()


def text_head(*, dimension: int = _WHOLE) -> BlendedTextHead:
    torch.manual_seed(1)
    learned = {"classes": _CLASSES, "sentence_dimension": _SENTENCE, "dimension": _LEARNED, "hidden": 8}
    head = BlendedTextHead(
        learned=learned, dimension=dimension, unnamed=0.5, named=0.9, least=_LEAST, most=_NAMED
    ).eval()
    basis = torch.randn(_CLASSES, _LEARNED)
    head.learned.set_start(basis=basis, class_names=torch.eye(_CLASSES)[:, :_SENTENCE] + 0.01)
    return head


def at(*own: float) -> Tensor:
    """A trunk's output whose embedding, less its mean, points this way."""
    return torch.cat([torch.tensor([own]) + 1.0, torch.zeros(1, _TRUNK - 3)], dim=1)


def test_that_the_dot_product_is_a_weighted_sum_of_the_trained_and_the_untrained_score() -> None:
    audio, text = audio_head(), text_head()
    for head in (audio, text):
        head.blend.set_map(torch.linalg.qr(torch.randn(_WHOLE, _WHOLE, generator=torch.Generator().manual_seed(2))).Q)
    heard = torch.cat([at(1.0, 0.0, 0.0), at(1.0, 0.0, 1.0), at(1.0, 0.0, 2.0), at(0.0, 0.0, 1.0)])
    logits = torch.randn(4, _CLASSES)
    read = normalize(torch.randn(3, _SENTENCE), dim=-1)
    with torch.inference_mode():
        scores = text(read) @ audio(heard, logits).T
        trained = text.learned(read) @ audio.learned(heard, logits).T
        untrained = normalize(text.learned.profile(read), dim=-1) @ audio.learned.profile(logits).T
        of_text, of_sound = text.untrained_share(read), audio.untrained_share(heard).T
    expected = ((1 - of_text) * (1 - of_sound)).sqrt() * trained + (of_text * of_sound).sqrt() * untrained
    torch.testing.assert_close(scores, expected)
    assert len(set(of_sound.flatten().tolist())) == 4


@pytest.mark.parametrize(
    ("own", "share"),
    [
        ((3.0, 0.0, 0.0), 0.0),
        ((0.0, 0.1, 0.0), 0.0),
        ((0.0, 0.0, 1.0), _MOST),
        ((-1.0, 0.0, 0.0), _MOST),
        ((0.5, 0.0, math.sqrt(0.75)), _MOST / 2),
    ],
)
def test_that_a_sound_trusts_what_was_learned_the_less_the_further_it_is_from_it(
    own: tuple[float, float, float], share: float
) -> None:
    assert float(audio_head().untrained_share(at(*own))) == pytest.approx(share, abs=1e-5)


def test_that_a_text_that_names_a_class_leans_on_the_untrained_score() -> None:
    head = text_head()
    name, nothing = head.class_names[:1], -head.class_names.sum(dim=0, keepdim=True)
    assert float(head.untrained_share(name)) == pytest.approx(_NAMED)
    assert float(head.untrained_share(normalize(nothing, dim=-1))) == pytest.approx(_LEAST)


def test_that_embeddings_have_unit_length_in_fewer_dimensions_too() -> None:
    audio, text = audio_head(dimension=7), text_head(dimension=7)
    for head in (audio, text):
        head.blend.set_map(torch.linalg.qr(torch.randn(_WHOLE, 7)).Q)
    with torch.inference_mode():
        sounds, texts = audio(torch.randn(4, _TRUNK), torch.randn(4, _CLASSES)), text(torch.randn(3, _SENTENCE))
    assert sounds.shape == (4, 7)
    assert texts.shape == (3, 7)
    torch.testing.assert_close(sounds.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))


def test_that_bounds_in_the_wrong_order_are_refused() -> None:
    learned = {"trunk_dimension": _TRUNK, "classes": _CLASSES, "dimension": _LEARNED, "hidden": 8}
    with pytest.raises(ValueError, match="nearer"):
        BlendedAudioHead(learned=learned, dimension=7, centres=2, embedding_dimension=3, far=0.8, near=0.8, most=0.9)
