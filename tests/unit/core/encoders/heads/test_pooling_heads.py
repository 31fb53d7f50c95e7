from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_parameters import draw_state, relative_error, shared_folder
from torch.nn.functional import layer_norm, normalize

from core.encoders.auxiliary_caption import CaptionInteraction
from core.encoders.hierarchical import Aggregator, Hierarchy, cross_modal_interaction
from core.encoders.pooling import AverageMaxPooling, MeanPooling, TextAwarePooling
from core.encoders.projection import LinearProjection, MlpProjection

# The first numbers of sound 0 as text 0 hears it, from the published module with the parameters drawn below.
KNOWN_POOLED = [-0.9332952, -0.12644774, -1.9509513, -0.4980599]


def published_pooling() -> torch.Tensor:
    pooling = TextAwarePooling(shared_norm=True).eval()
    pooling.load_state_dict(draw_state(pooling))
    assert sum(p.numel() for p in pooling.parameters()) == 8_397_824
    rng = np.random.default_rng(1)
    frames = torch.from_numpy(rng.standard_normal((3, 40, 1024)).astype(np.float32))
    text = torch.from_numpy(rng.standard_normal((3, 1, 1024)).astype(np.float32))[:, 0]
    mask = torch.ones(3, 40, dtype=torch.bool)
    mask[1, 25:] = False
    with torch.no_grad():
        return pooling(frames, text, mask)


def test_that_text_aware_pooling_is_the_published_function():
    assert torch.allclose(published_pooling()[0, 0, :4], torch.tensor(KNOWN_POOLED), atol=2e-5)


@pytest.mark.corpus
def test_that_all_pooled_vectors_are_those_of_the_published_module():
    with np.load(shared_folder() / "golden" / "text-aware-pooling.npz") as golden:
        assert relative_error(published_pooling(), golden["pooled"]) < 1e-4


def some_frames(sounds: int = 5, frames: int = 6, features: int = 8, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(sounds, frames, generator=generator) > 0.3
    mask[:, 0] = True
    return torch.randn(sounds, frames, features, generator=generator), mask


def some_text(texts: int = 4, features: int = 8) -> torch.Tensor:
    return torch.randn(texts, features, generator=torch.Generator().manual_seed(9))


def small_pooling(**options) -> TextAwarePooling:
    torch.manual_seed(2)
    return TextAwarePooling(dimension=8, projection=12, **options).eval()


@pytest.mark.parametrize("shared_norm", [True, False])
def test_that_pooling_is_the_formula_pair_by_pair(shared_norm):
    pooling = small_pooling(shared_norm=shared_norm)
    frames, mask = some_frames()
    text = some_text()
    with torch.no_grad():
        pooled = pooling(frames, text, mask)
        for a in range(5):
            heard = layer_norm(frames[a][mask[a]], (8,))
            for c in range(4):
                query = pooling.w_q(layer_norm(text[c : c + 1], (8,)))
                shares = (query @ pooling.w_k(heard).T / 12**0.5).softmax(dim=-1)
                expected = layer_norm(pooling.w_0(shares @ pooling.w_v(heard)), (8,))[0]
                assert torch.allclose(pooled[a, c], expected, atol=1e-5)


def test_that_scores_do_not_depend_on_the_order_or_the_company():
    pooling = small_pooling()
    frames, mask = some_frames()
    text = 3 * some_text()
    with torch.no_grad():
        scores = pooling.similarity(frames, text, mask)
        order = torch.tensor([4, 2, 0, 1, 3])
        assert torch.allclose(pooling.similarity(frames[order], text, mask[order]), scores[:, order], atol=1e-6)
        alone = pooling.similarity(frames[2:3], text[1:2], mask[2:3])
        assert torch.allclose(alone, scores[1:2, 2:3], atol=1e-6)
        assert torch.allclose(pooling.similarity(frames, text, mask, numbers_at_once=1), scores, atol=1e-6)
    expected = (normalize(pooling(frames, text, mask), dim=-1) * normalize(text, dim=-1)).sum(dim=-1).T
    assert torch.allclose(scores, expected, atol=1e-6)
    assert scores.shape == (4, 5)


def test_that_evaluation_holds_no_more_than_it_may(monkeypatch):
    pooling = small_pooling()
    frames, mask = some_frames()
    sizes = []
    pool = pooling._pool
    monkeypatch.setattr(pooling, "_pool", lambda *given: sizes.append(given[0].shape[0]) or pool(*given))
    with torch.no_grad():
        pooling.similarity(frames, some_text(), mask, numbers_at_once=2 * 4 * 8)
    assert sizes == [2, 2, 1]
    sizes.clear()
    pooling.similarity(frames, some_text(), mask, numbers_at_once=1)
    assert sizes == [5]


@pytest.mark.parametrize("make", [MeanPooling, AverageMaxPooling])
def test_that_padding_takes_no_part_in_pooling(make):
    frames, mask = some_frames()
    wild = frames.masked_fill(~mask[..., None], 1e6)
    pooled = make()(wild, mask)
    for number in range(5):
        kept = frames[number][mask[number]]
        expected = kept.mean(dim=0) + (kept.amax(dim=0) if make is AverageMaxPooling else 0)
        assert torch.allclose(pooled[number], expected, atol=1e-5)
    assert torch.allclose(make()(frames, torch.ones_like(mask)), make()(frames), atol=1e-6)


def test_that_padding_takes_no_part_in_text_aware_pooling():
    frames, mask = some_frames()
    wild = frames.masked_fill(~mask[..., None], 1e3)
    pooling = small_pooling()
    with torch.no_grad():
        assert torch.allclose(pooling(wild, some_text(), mask), pooling(frames, some_text(), mask), atol=1e-6)


def test_that_interaction_is_as_counted_by_hand():
    # Two frames and two words per item, so that cosines are products of coordinates.
    frames = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [-1.0, 0.0]]])
    words = torch.tensor([[[0.6, 0.8], [1.0, 0.0]]])
    ci = cross_modal_interaction(frames, words)
    # Sound 0: words find .8 and 1, frames find 1 and .8. Sound 1: words find .6 and 1, frames find 1 and -.6.
    assert ci[:, 0].tolist() == pytest.approx([(0.9 + 0.9) / 2, (0.8 + 0.2) / 2])


def test_that_interaction_knows_neither_padding_nor_order_nor_sides():
    frames, frame_mask = some_frames(seed=1)
    words, word_mask = some_frames(sounds=4, frames=3, seed=2)
    ci = cross_modal_interaction(frames, words, frame_mask, word_mask)
    by_hand = torch.empty(5, 4)
    for a in range(5):
        for c in range(4):
            cosines = normalize(frames[a][frame_mask[a]], dim=-1) @ normalize(words[c][word_mask[c]], dim=-1).T
            by_hand[a, c] = (cosines.amax(dim=0).mean() + cosines.amax(dim=1).mean()) / 2
    assert torch.allclose(ci, by_hand, atol=1e-6)
    assert torch.allclose(cross_modal_interaction(words, frames, word_mask, frame_mask), ci.T, atol=1e-6)
    turned = torch.tensor([5, 3, 1, 0, 2, 4])
    assert torch.allclose(
        cross_modal_interaction(frames[:, turned], words, frame_mask[:, turned], word_mask), ci, atol=1e-6
    )
    assert torch.allclose(cross_modal_interaction(7 * frames, words, frame_mask, word_mask), ci, atol=1e-6)
    few = cross_modal_interaction(frames, words, frame_mask, word_mask, pairs_at_once=1)
    assert torch.allclose(few, ci, atol=1e-6)


def test_that_an_item_agrees_with_itself_completely():
    frames, mask = some_frames()
    assert cross_modal_interaction(frames, frames, mask, mask).diagonal().tolist() == pytest.approx([1.0] * 5)


def test_that_an_aggregator_is_the_formula():
    torch.manual_seed(0)
    aggregator = Aggregator(dimension=8, parts=3)
    frames, mask = some_frames()
    with torch.no_grad():
        parts = aggregator(frames, mask)
        for number in range(5):
            members = frames[number][mask[number]]
            shares = (members @ aggregator.weight.weight.T).softmax(dim=0)
            assert torch.allclose(parts[number], shares.T @ aggregator.network(members), atol=1e-6)
    assert parts.shape == (5, 3, 8)
    assert float(parts.min()) >= 0.0
    assert bool((Aggregator(dimension=8, last_relu=False)(frames) < 0).any())


def test_that_a_hierarchy_leads_to_parts_and_a_whole():
    frames, mask = some_frames()
    parts, whole = Hierarchy(dimension=8)(frames, mask)
    assert parts.shape == (5, 10, 8)
    assert whole.shape == (5, 8)


def interaction(**options) -> CaptionInteraction:
    torch.manual_seed(3)
    return CaptionInteraction(dimension=8, heads=2, **options).eval()


def test_that_one_key_adds_one_vector_to_every_frame():
    module = interaction()
    frames, _ = some_frames()
    caption = torch.randn(5, 3, 8, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        heard, shares = module.co_attention(frames, caption[:, :1], caption[:, :1])
        assert torch.allclose(heard, heard[:, :1].expand_as(heard), atol=1e-6)
        assert torch.equal(shares, torch.ones_like(shares))
        other_words = caption.clone()
        other_words[:, 1:] = 0.0
        assert torch.equal(module(frames, caption), module(frames, other_words))


def test_that_words_as_keys_are_heard_unless_they_are_padding():
    module = interaction(keys="words")
    frames, mask = some_frames()
    caption = torch.randn(5, 3, 8, generator=torch.Generator().manual_seed(4))
    words = torch.tensor([[True, True, False]] * 5)
    changed = caption.clone()
    changed[:, 2] = 5.0
    with torch.no_grad():
        assert torch.allclose(module(frames, caption, mask, words), module(frames, changed, mask, words), atol=1e-6)
        assert not torch.allclose(module(frames, caption, mask), module(frames, changed, mask), atol=1e-3)


@pytest.mark.parametrize("gradient", [True, False])
def test_that_a_padded_clip_listens_as_it_does_alone(gradient):
    module = interaction()
    frames, mask = some_frames()
    mask = torch.arange(6) < torch.tensor([[6], [4], [1], [3], [5]])
    caption = torch.randn(5, 1, 8, generator=torch.Generator().manual_seed(4))
    with torch.set_grad_enabled(gradient):
        together = module(frames.masked_fill(~mask[..., None], 50.0), caption, mask)
        for number, length in enumerate([6, 4, 1, 3, 5]):
            alone = module(frames[number : number + 1, :length], caption[number : number + 1])
            assert torch.allclose(together[number, :length], alone[0], atol=1e-5)
            assert not together[number, length:].any()


def test_that_projections_are_their_layers():
    features = torch.randn(3, 5)
    linear = LinearProjection(inputs=5, outputs=7, unit_length=False)
    assert torch.equal(linear(features), linear.linear(features))
    mlp = MlpProjection(inputs=5, outputs=7, unit_length=False)
    first, _, second = mlp.layers
    assert torch.allclose(mlp(features), second(first(features).relu()))
    for unit in (LinearProjection(inputs=5), MlpProjection(inputs=5, hidden=4)):
        assert unit(features).shape == (3, 1024)
        assert unit(features).norm(dim=-1).tolist() == pytest.approx([1.0] * 3, abs=1e-5)


@pytest.mark.parametrize("module", ["tap", "aggregator", "hierarchy", "caption", "mlp"])
def test_that_every_parameter_learns(module):
    frames, mask = some_frames()
    caption = torch.randn(5, 3, 8)
    weight = torch.randn(8)
    torch.manual_seed(0)
    made, output = {
        "tap": lambda: (m := small_pooling(), m(frames, some_text(), mask)),
        "aggregator": lambda: (m := Aggregator(dimension=8), m(frames, mask)),
        "hierarchy": lambda: (m := Hierarchy(dimension=8), m(frames, mask)[1]),
        "caption": lambda: (m := interaction(keys="words"), m(frames, caption, mask)),
        "mlp": lambda: (m := MlpProjection(inputs=8, outputs=8), m(frames)),
    }[module]()
    (output * weight).sum().backward()
    silent = [name for name, p in made.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not silent


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_that_heads_are_safe_in_half_precision(dtype):
    frames, mask = some_frames()
    text = some_text()
    words, word_mask = some_frames(sounds=4, frames=3, seed=2)
    pooling = small_pooling()
    with torch.no_grad():
        exact = pooling.similarity(frames, text, mask)
        half = pooling.to(dtype).similarity(frames.to(dtype), text.to(dtype), mask)
        assert torch.allclose(half.float(), exact, atol=0.05)
        exact = cross_modal_interaction(frames, words, mask, word_mask)
        half = cross_modal_interaction(frames.to(dtype), words.to(dtype), mask, word_mask)
        assert torch.allclose(half.float(), exact, atol=0.03)


@pytest.mark.parametrize(
    ("frames", "mask", "message"),
    [
        (torch.zeros(3, 8), None, "expected .items, members, features"),
        (torch.zeros(0, 2, 8), None, "expected .items, members, features"),
        (torch.zeros(2, 3, 8), torch.ones(2, 4, dtype=torch.bool), "boolean mask"),
        (torch.zeros(2, 3, 8), torch.ones(2, 3), "boolean mask"),
        (torch.zeros(2, 3, 8), torch.tensor([[True, True, True], [False, False, False]]), "at least one member"),
    ],
)
def test_that_frames_that_cannot_be_pooled_are_named(frames, mask, message):
    for head in (
        MeanPooling(),
        AverageMaxPooling(),
        Aggregator(dimension=8),
        lambda f, m: small_pooling()(f, some_text(), m),
        lambda f, m: cross_modal_interaction(f, torch.ones(1, 1, 8), m),
        lambda f, m: interaction()(f, torch.ones(2, 1, 8), m),
    ):
        with pytest.raises(ValueError, match=message):
            head(frames, mask)


def test_that_texts_and_settings_that_do_not_fit_are_named():
    frames, mask = some_frames()
    with pytest.raises(ValueError, match=r"expected texts \(texts, 8\)"):
        small_pooling()(frames, torch.zeros(2, 5), mask)
    with pytest.raises(ValueError, match="one dimension"):
        cross_modal_interaction(frames, torch.ones(1, 1, 5))
    with pytest.raises(ValueError, match="one caption for each of 5 sounds"):
        interaction()(frames, torch.ones(2, 1, 8))
    with pytest.raises(ValueError, match="expected keys"):
        interaction(keys="letters")
