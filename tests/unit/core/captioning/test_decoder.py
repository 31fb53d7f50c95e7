from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_parameters import draw_state, relative_error, shared_folder
from torch import nn

from core.captioning.decoder import TransformerCaptionDecoder
from core.captioning.gru import GruCaptionDecoder
from core.captioning.protocol import AudioFeatures
from core.errors import ModelError

# The first logits of the first two tokens of clip 0 that the published decoder gives for the parameters drawn below.
KNOWN_LOGITS = {
    4: [[0.20754974, 0.63659906, 0.4771393, -0.37820622]],
    8: [[-0.3694522, 1.2946414, 0.688725, -0.32601568]],
}
KNOWN_GRU_STATE = [0.31263456, 0.1403639, 0.03990319, 0.04857537]
KNOWN_GRU_LOGITS = [-0.1515942, 0.10852288, -0.46545005, 0.30876508]
KNOWN_GRU_ATTENTION = [0.00496592, 0.01470867, 0.00660536, 0.03202021]


def published_decoder(heads: int) -> TransformerCaptionDecoder:
    decoder = TransformerCaptionDecoder(vocabulary_size=4371, heads=heads).eval()
    state = {name: tensor for name, tensor in draw_state(decoder).items() if not name.startswith("projection")}
    assert decoder.load_official(state) == ()
    return decoder


def published_logits(heads: int) -> torch.Tensor:
    """(12, 3, 64) as kept by the reference."""
    decoder = published_decoder(heads)
    rng = np.random.default_rng(1)
    memory = torch.from_numpy(rng.standard_normal((3, 31, 256)).astype(np.float32))
    tokens = torch.from_numpy(rng.integers(4, 4371, (3, 12)))
    memory_mask = torch.ones(3, 31, dtype=torch.bool)
    memory_mask[1, 20:] = False
    token_mask = torch.ones(3, 12, dtype=torch.bool)
    token_mask[2, 9:] = False
    with torch.inference_mode():
        logits = decoder.decode(memory, memory_mask, decoder.embed(tokens), token_mask)
    return logits.transpose(0, 1)[:, :, :64]


@pytest.mark.parametrize("heads", [4, 8])
def test_that_the_decoder_is_the_published_function(heads):
    logits = published_logits(heads)
    assert torch.allclose(logits[:1, 0, :4], torch.tensor(KNOWN_LOGITS[heads]), atol=2e-5)


@pytest.mark.corpus
@pytest.mark.parametrize("heads", [4, 8])
def test_that_every_logit_is_that_of_the_published_decoder(heads):
    golden = np.load(shared_folder() / "golden" / f"cnext-decoder-heads{heads}.npz")
    assert relative_error(published_logits(heads), golden["logits"]) < 1e-4


def test_that_four_and_eight_heads_share_their_weights_and_differ():
    four, eight = (TransformerCaptionDecoder(vocabulary_size=50, heads=heads, layers=1) for heads in (4, 8))
    eight.load_state_dict(four.state_dict())
    audio = some_audio(768)
    tokens = torch.randint(4, 50, (3, 5))
    with torch.inference_mode():
        assert not torch.allclose(four.eval()(audio, tokens), eight.eval()(audio, tokens), atol=1e-3)


def test_that_the_published_decoder_has_as_many_parameters_as_published():
    decoder = TransformerCaptionDecoder(vocabulary_size=4371)
    count = sum(p.numel() for name, p in decoder.named_parameters() if not name.startswith("projection"))
    assert count == 11_714_835
    assert sum(p.numel() for p in GruCaptionDecoder(vocabulary_size=4371).parameters()) == 8_679_699


def some_audio(features: int, audios: int = 3, frames: int = 7, clip: int | None = None) -> AudioFeatures:
    generator = torch.Generator().manual_seed(3)
    mask = torch.ones(audios, frames, dtype=torch.bool)
    mask[-1, frames - 2 :] = False
    return AudioFeatures(
        torch.randn(audios, frames, features, generator=generator),
        mask,
        None if clip is None else torch.randn(audios, clip, generator=generator),
    )


def test_that_the_decoder_equals_pytorchs_own_with_the_same_weights():
    torch.manual_seed(0)
    decoder = TransformerCaptionDecoder(
        vocabulary_size=30, feature_dimension=12, heads=2, layers=2, width=16, hidden=40
    ).eval()
    layer = nn.TransformerDecoderLayer(16, 2, 40, 0.2, "gelu", batch_first=True)
    theirs = nn.TransformerDecoder(layer, 2).eval()
    theirs.load_state_dict({n: t for n, t in decoder.state_dict().items() if n.startswith("layers.")})
    audio = some_audio(12)
    tokens = torch.randint(4, 30, (3, 6))
    with torch.no_grad():
        hidden = theirs(
            decoder.place(decoder.embed(tokens)),
            decoder.project(audio.frames),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(6),
            memory_key_padding_mask=torch.zeros(3, 7).masked_fill(~audio.frame_mask, float("-inf")),
        )
        expected = decoder.classifier(hidden)
        assert torch.allclose(decoder(audio, tokens), expected, atol=1e-5)


def published_gru() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    decoder = GruCaptionDecoder(vocabulary_size=4371).eval()
    assert decoder.load_official(draw_state(decoder)) == ()
    rng = np.random.default_rng(1)
    clip = torch.from_numpy(rng.standard_normal((2, 512)).astype(np.float32))
    frames = torch.from_numpy(rng.standard_normal((2, 62, 512)).astype(np.float32))
    mask = torch.arange(62) < torch.tensor([[62], [50]])
    with torch.inference_mode():
        heard = decoder.hear(AudioFeatures(frames, mask, clip))
        told = decoder.advance(decoder.embed(torch.tensor([[1], [1]])), torch.zeros(2, 1, 512), heard)
    state, logits, attention = (each[:, 0] for each in told)
    return state, logits, attention


def test_that_the_gru_step_is_the_published_function():
    state, logits, attention = published_gru()
    assert torch.allclose(state[0, :4], torch.tensor(KNOWN_GRU_STATE), atol=1e-5)
    assert torch.allclose(logits[0, :4], torch.tensor(KNOWN_GRU_LOGITS), atol=1e-5)
    assert torch.allclose(attention[0, :4], torch.tensor(KNOWN_GRU_ATTENTION), atol=1e-6)
    assert float(attention[1, 50:].abs().max()) == 0.0


@pytest.mark.corpus
def test_that_all_of_a_gru_step_is_that_of_the_published_decoder():
    golden = np.load(shared_folder() / "golden" / "gru-decoder.npz")
    state, logits, attention = published_gru()
    assert relative_error(state, golden["state"][0]) < 1e-4
    assert relative_error(state, golden["embed"][:, 0]) < 1e-4
    assert relative_error(logits[:, :64], golden["logit"][:, 0]) < 1e-4
    assert relative_error(attention, golden["attn_weight"]) < 1e-4


@pytest.mark.parametrize("kind", ["transformer", "gru"])
def test_that_padding_frames_change_nothing(kind):
    torch.manual_seed(1)
    decoder = small_decoder(kind)
    audio = some_audio(12, clip=8)
    wild = audio.frames.clone()
    wild[-1, 5:] = 1e3
    tokens = torch.randint(4, 30, (3, 6))
    with torch.no_grad():
        before = decoder(audio, tokens)
        after = decoder(AudioFeatures(wild, audio.frame_mask, audio.clip), tokens)
    assert torch.equal(before, after)


@pytest.mark.parametrize("kind", ["transformer", "gru"])
def test_that_later_tokens_change_nothing_before_them(kind):
    torch.manual_seed(1)
    decoder = small_decoder(kind)
    audio = some_audio(12, clip=8)
    tokens = torch.randint(4, 30, (3, 6))
    other = tokens.clone()
    other[:, 4:] = 5
    with torch.no_grad():
        before, after = decoder(audio, tokens), decoder(audio, other)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6)


def small_decoder(kind: str) -> TransformerCaptionDecoder | GruCaptionDecoder:
    if kind == "gru":
        return GruCaptionDecoder(vocabulary_size=30, frame_dimension=12, clip_dimension=8, width=16).eval()
    return TransformerCaptionDecoder(
        vocabulary_size=30, feature_dimension=12, heads=2, layers=2, width=16, hidden=40
    ).eval()


@pytest.mark.parametrize("kind", ["transformer", "gru"])
def test_that_every_parameter_learns(kind):
    torch.manual_seed(1)
    decoder = small_decoder(kind).train()
    logits = decoder(some_audio(12, clip=8), torch.randint(4, 30, (3, 6)))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.randint(4, 30, (18,))).backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in decoder.parameters())


def test_that_half_precision_gives_nearly_the_same_logits():
    torch.manual_seed(1)
    decoder = small_decoder("transformer")
    audio = some_audio(12)
    tokens = torch.randint(4, 30, (3, 6))
    with torch.no_grad():
        full = decoder(audio, tokens)
        half = decoder.to(torch.bfloat16)(audio.to(dtype=torch.bfloat16), tokens)
    assert relative_error(half, full) < 0.03


def test_that_a_foreign_checkpoint_is_refused_with_what_it_lacks():
    decoder = small_decoder("transformer")
    with pytest.raises(ModelError, match=r"lacks classifier\.bias"):
        decoder.load_official({"conv.weight": torch.zeros(3)})
    state = {**decoder.state_dict(), "classifier.bias": torch.zeros(7)}
    with pytest.raises(ModelError, match=r"classifier\.bias has shape \(7,\), expected \(30,\)"):
        decoder.load_official(state)
    with pytest.raises(ModelError, match=r"lacks word_embedding\.weight"):
        small_decoder("gru").load_official({})


def test_that_the_published_names_of_the_projection_are_known():
    decoder = small_decoder("transformer")
    state = {f"decoder.{n}": t for n, t in decoder.state_dict().items() if not n.startswith("projection")}
    weight = torch.randn(16, 12)
    left = decoder.load_official(
        {**state, "projection.2.weight": weight, "projection.2.bias": torch.ones(16), "mel": weight}
    )
    assert left == ("mel",)
    assert torch.equal(decoder.projection[1].weight, weight)


@pytest.mark.parametrize(
    ("frames", "mask", "message"),
    [
        (torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool), "expected frames"),
        (torch.zeros(0, 3, 4), torch.ones(0, 3, dtype=torch.bool), "expected frames"),
        (torch.zeros(2, 3, 4), torch.ones(2, 4, dtype=torch.bool), "expected a boolean mask"),
        (torch.zeros(2, 3, 4), torch.ones(2, 3), "expected a boolean mask"),
        (torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool), "at least one frame"),
        (torch.full((2, 3, 4), float("nan")), torch.ones(2, 3, dtype=torch.bool), "NaN"),
    ],
)
def test_that_bad_features_are_named(frames, mask, message):
    with pytest.raises(ValueError, match=message):
        AudioFeatures(frames, mask)


def test_that_clip_vectors_that_are_no_numbers_are_named():
    frames, mask = torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match="the clip vectors hold NaN"):
        AudioFeatures(frames, mask, torch.full((2, 5), torch.inf))
    with pytest.raises(ValueError, match="one clip vector for each of 2"):
        AudioFeatures(frames, mask, torch.zeros(3, 5))


def test_that_features_of_another_encoder_are_named():
    with pytest.raises(ValueError, match="expected frames of 12 features, got 5"):
        small_decoder("transformer")(some_audio(5), torch.ones(3, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="one vector per clip"):
        small_decoder("gru")(some_audio(12), torch.ones(3, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="expected tokens"):
        small_decoder("transformer")(some_audio(12), torch.ones(2, 2, dtype=torch.long))
