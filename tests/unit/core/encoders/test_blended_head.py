from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from core.encoders.blended_head import BlendedAudioHead, BlendedTextHead, ClassReader

_TRUNK, _CLASSES, _SENTENCE, _LEARNED = 6, 10, 8, 5
_WHOLE = _LEARNED + _CLASSES
_MOST, _LEAST, _NAMED = 0.9, 0.05, 0.25


_TIMBRE = {"inputs": [[1, 2], [4, 6]], "dimension": 2, "share": 0.36}


def audio_head(
    *, dimension: int = _WHOLE, timbre: dict[str, object] | None = None, known: dict[str, object] | None = None
) -> BlendedAudioHead:
    torch.manual_seed(0)
    learned = {"trunk_dimension": _TRUNK, "classes": _CLASSES, "dimension": _LEARNED, "hidden": 8}
    head = BlendedAudioHead(
        learned=learned,
        dimension=dimension,
        centres=2,
        embedding_dimension=3,
        far=0.2,
        near=0.8,
        most=_MOST,
        timbre=timbre,
        known=known,
    )
    head.set_centres(torch.ones(3), torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]))
    return head.eval()


def text_head(
    *, dimension: int = _WHOLE, timbre: int = 0, phrases: bool = False, known: dict[str, object] | None = None
) -> BlendedTextHead:
    torch.manual_seed(1)
    learned = {"classes": _CLASSES, "sentence_dimension": _SENTENCE, "dimension": _LEARNED, "hidden": 8}
    head = BlendedTextHead(
        learned=learned,
        dimension=dimension,
        unnamed=0.5,
        named=0.9,
        least=_LEAST,
        most=_NAMED,
        timbre=timbre,
        phrases=phrases,
        known=known,
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
        untrained = text.profile(read) @ audio.learned.profile(logits).T
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


def test_that_a_class_near_to_every_text_is_read_into_none_of_them() -> None:
    reader = ClassReader(classes=3, sentence_dimension=3, temperature=0.1)
    # All texts lie near the first class; only what they have besides it tells them apart.
    texts = normalize(torch.tensor([[5.0, 1.0, 0.0], [5.0, 0.0, 1.0], [5.0, 0.5, 0.5]]), dim=-1)
    reader.set_phrases(torch.diag(torch.tensor([1.0, 2.0, 3.0])), texts)
    read = reader(texts)
    torch.testing.assert_close(read, torch.softmax((texts - texts.mean(dim=0)) / 0.1, dim=-1))
    assert read.argmax(dim=-1)[:2].tolist() == [1, 2]
    assert float(read[2, 0]) == pytest.approx(1 / 3, abs=0.02)


def test_that_the_untrained_score_reads_phrases_where_there_are_some() -> None:
    plain, head = text_head(), text_head(phrases=True)
    assert head.reader is not None
    assert set(head.state_dict()) - set(plain.state_dict()) == {"reader.phrases", "reader.usual"}
    read = normalize(torch.randn(3, _SENTENCE), dim=-1)
    head.reader.set_phrases(torch.randn(_CLASSES, _SENTENCE), read)
    with torch.inference_mode():
        torch.testing.assert_close(head.profile(read), normalize(head.reader(read), dim=-1))
        torch.testing.assert_close(head.untrained_share(read), plain.untrained_share(read))
        torch.testing.assert_close(head.learned(read), plain.learned(read))
        assert float((head.profile(read) - plain.profile(read)).abs().max()) > 0.1


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


def test_that_a_timbre_is_heard_between_sounds_and_leaves_the_order_for_a_text_alone() -> None:
    plain, text = audio_head(dimension=7), text_head(dimension=7)
    told, asked = audio_head(dimension=9, timbre=_TIMBRE), text_head(dimension=9, timbre=2)
    joint = torch.linalg.qr(torch.randn(_WHOLE, 7)).Q
    for head in (plain, text, told, asked):
        head.blend.set_map(joint)
    assert told.timbre is not None
    told.timbre.set_inputs(mean=torch.arange(6.0), scale=torch.full((6,), 2.0))
    told.timbre.set_map(weight=torch.randn(3, 2), bias=torch.randn(2))
    heard, logits = torch.randn(5, _TRUNK), torch.randn(5, _CLASSES)
    read = normalize(torch.randn(3, _SENTENCE), dim=-1)
    with torch.inference_mode():
        sounds, texts = told(heard, logits), asked(read)
        torch.testing.assert_close(texts @ sounds.T, 0.8 * text(read) @ plain(heard, logits).T)
        seen = ((heard[:, [1, 4, 5]] - torch.tensor([1.0, 4.0, 5.0])) / 2).clamp(-2, 2)
        own = normalize(seen @ told.timbre.weight + told.timbre.bias, dim=-1)
        both = 0.64 * plain(heard, logits) @ plain(heard, logits).T + 0.36 * own @ own.T
    torch.testing.assert_close(sounds @ sounds.T, both)


def test_that_a_timbre_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="hold something"):
        audio_head(dimension=9, timbre={**_TIMBRE, "inputs": [[3, 3]]})


def test_that_bounds_in_the_wrong_order_are_refused() -> None:
    learned = {"trunk_dimension": _TRUNK, "classes": _CLASSES, "dimension": _LEARNED, "hidden": 8}
    with pytest.raises(ValueError, match="nearer"):
        BlendedAudioHead(learned=learned, dimension=7, centres=2, embedding_dimension=3, far=0.8, near=0.8, most=0.9)


@pytest.mark.parametrize("timbre", [None, _TIMBRE])
def test_that_known_texts_add_what_echoes_and_take_off_how_much_fits_the_sound_anyway(
    timbre: dict[str, object] | None,
) -> None:
    numbers = 0 if timbre is None else 2
    known: dict[str, object] = {"texts": 4, "temperature": 0.1}
    audio = audio_head(dimension=9 + numbers, timbre=timbre, known=known)
    text = text_head(dimension=9 + numbers, timbre=numbers, known=known)
    joint = torch.linalg.qr(torch.randn(_WHOLE, 7)).Q
    for head in (audio, text):
        head.blend.set_map(joint)
    heard, logits = torch.randn(5, _TRUNK), torch.randn(5, _CLASSES)
    read = normalize(torch.randn(3, _SENTENCE), dim=-1)
    assert text.echo is not None
    assert audio.level is not None
    if audio.timbre is not None:
        audio.timbre.set_inputs(mean=torch.zeros(6), scale=torch.ones(6))
        audio.timbre.set_map(weight=torch.randn(3, 2), bias=torch.randn(2))
    with torch.inference_mode():
        own = audio.joined(heard, logits)
        sentences = normalize(torch.randn(4, _SENTENCE), dim=-1)
        text.echo.set_texts(sentences, text.joined(sentences))
        audio.level.set_texts(text.joined(sentences), own)
        sounds, texts = audio(heard, logits), text(read)
        torch.testing.assert_close(sounds.norm(dim=1), torch.ones(5))
        torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))
        level = audio.level(own)
        expected = (text.joined(read) + text.echo(read)) @ own.T - level.T
        # The level is one more number of the sound, which is then brought to unit length; a timbre has its share.
        share = 0.0 if timbre is None else 0.36
        length = (1 + (1 - share) * level.square()).sqrt().T
        torch.testing.assert_close(texts @ sounds.T, expected * math.sqrt((1 - share) / 5) / length)
    assert not texts[:, 7 : 7 + numbers].any()
    assert not sounds[:, -1].any()
