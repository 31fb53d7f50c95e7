"""What holds for every research encoder: equal to its reference, whatever it is batched with, and choosy."""

from __future__ import annotations

import pytest
import torch
from encoder_numbers import ENCODERS, drawn_encoder, encoder_numbers, noise
from reference_parameters import relative_error
from torch import nn

from core.encoders.registry import create_encoder, encoder_config, encoder_names

BIG = pytest.mark.slow
# Our name, the reference's name, and what its outputs are called.
REFERENCES = {
    "cnn10": "cnn10",
    "cnn14": "cnn14",
    "resnet38": "resnet38",
    "convnext-tiny": "convnext-tiny",
    "passt-s-p16-s16-128-ap468": "passt-s-p16-s16-128-ap468",
    "atst-frame": "atst-frame-base",
}
PARAMETERS = {
    "cnn10": 5_219_279,
    "cnn14": 80_753_615,
    "resnet38": 73_783_247,
    "convnext-tiny": 28_222_767,
    "passt-s-p16-s16-128-ap468": 86_122_270,
    "atst-frame": 85_419_264,
}
# Frames of 10 s.
FRAMES = {
    "cnn10": 62,
    "cnn14": 31,
    "resnet38": 31,
    "convnext-tiny": 31,
    "passt-s-p16-s16-128-ap468": 62,
    "atst-frame": 250,
}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=() if name == "cnn10" else BIG) for name in REFERENCES]
)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def encoder(name: str) -> nn.Module:
    return drawn_encoder(name)


def test_that_it_equals_its_reference(name, encoder, golden):
    reference = golden(REFERENCES[name])
    given = reference.facts["input"]
    with torch.inference_mode():
        output = encoder(noise(given["samples"], seed=given["seed"], batch=given["batch"]))
    ours = {
        "embedding": output.embedding,
        "scene_embedding": output.embedding,
        "mean": output.embedding,
        "frames": output.frames[:, :32],
        "frame_embeddings": output.frames.transpose(1, 2),
        "logits": output.logits,
        "clipwise_output": None if output.logits is None else output.logits.sigmoid(),
    }
    for key, expected in reference.outputs.items():
        assert relative_error(ours[key], expected) < 1e-4, key


def test_that_it_gives_the_numbers_that_we_keep(name, encoder, kept_numbers):
    found = encoder_numbers(encoder)
    assert found.keys() == kept_numbers[name].keys()
    for key, numbers in kept_numbers[name].items():
        assert relative_error(torch.tensor(found[key]), torch.tensor(numbers)) < 1e-4, key


def test_that_it_has_the_published_number_of_parameters(name, encoder):
    assert sum(parameter.numel() for parameter in encoder.parameters()) == PARAMETERS[name]


def test_that_padding_changes_nothing(name, encoder):
    rate = encoder.sample_rate_hz
    lengths = torch.tensor([int(1.71 * rate), 100, int(0.83 * rate)])
    waveform = noise(int(1.8 * rate), seed=5, batch=len(lengths))
    with torch.inference_mode():
        together = encoder(waveform, lengths)
        for row, length in enumerate(lengths.tolist()):
            alone = encoder(waveform[row : row + 1, :length])
            assert relative_error(together.embedding[row], alone.embedding[0]) < 1e-5
            own = int(alone.frame_mask.sum())
            assert alone.frame_mask.shape[1] == own >= 1
            assert together.frame_mask[row].tolist() == [True] * own + [False] * (together.frames.shape[1] - own)
            assert relative_error(together.frames[row, :own], alone.frames[0]) < 1e-5
            assert not together.frames[row, own:].any()
            if alone.logits is not None:
                assert relative_error(together.logits[row], alone.logits[0]) < 1e-5


def test_that_what_lies_behind_a_clips_end_is_ignored(encoder):
    rate = encoder.sample_rate_hz
    waveform = noise(rate, seed=6)
    length = torch.tensor([int(0.7 * rate)])
    other = waveform.clone()
    other[:, length:] = 0.9
    with torch.inference_mode():
        assert torch.equal(encoder(waveform, length).embedding, encoder(other, length).embedding)


def test_that_frames_lie_in_order_inside_of_the_clip(name, encoder):
    with torch.inference_mode():
        output = encoder(noise(10 * encoder.sample_rate_hz, seed=7))
    assert output.frames.shape == (1, FRAMES[name], encoder.dimension)
    assert output.frame_mask.shape == (1, FRAMES[name])
    assert output.frame_times_s.shape == (FRAMES[name],)
    step_s = output.frame_times_s.diff()
    assert torch.allclose(step_s, step_s[:1], atol=1e-4)
    assert output.frame_times_s[0] > 0.0
    assert output.frame_times_s[-1] < 10.0
    assert output.embedding.shape == (1, encoder_config(name).dimension)


def test_that_it_learns(encoder):
    # Training moves the running means of batch norms, which the tests that follow need as they are.
    buffers = {key: buffer.clone() for key, buffer in encoder.trunk.named_buffers()}
    encoder.train()
    encoder(noise(encoder.sample_rate_hz // 3, seed=8, batch=2)).embedding.square().mean().backward()
    encoder.eval()
    first = next(p for key, p in encoder.trunk.named_parameters() if "conv" in key or "patch" in key or "0.0.w" in key)
    assert first.grad is not None
    assert first.grad.abs().sum() > 0
    encoder.zero_grad()
    for key, buffer in encoder.trunk.named_buffers():
        buffer.copy_(buffers[key])


@pytest.mark.parametrize(
    ("waveform", "lengths", "expected"),
    [
        (torch.zeros(32000), None, r"shape \(batch, samples\)"),
        (torch.zeros(1, 1, 32000), None, r"shape \(batch, samples\)"),
        (torch.zeros(0, 32000), None, "at least one clip"),
        (torch.zeros(1, 0), None, "at least one sample"),
        (torch.zeros(1, 32000, dtype=torch.int16), None, "floating-point"),
        (torch.full((1, 32000), torch.nan), None, "finite"),
        (torch.full((1, 32000), torch.inf), None, "finite"),
        (torch.zeros(2, 32000), torch.tensor([32000]), r"lengths of shape \(2,\)"),
        (torch.zeros(1, 32000), torch.tensor([32001]), "1 to the waveform's 32000 samples, got 32001"),
        (torch.zeros(1, 32000), torch.tensor([0]), "from 1 to"),
        (torch.zeros(1, 32000), torch.tensor([0.5]), "whole numbers"),
    ],
)
def test_that_bad_input_is_refused_with_what_was_expected(encoder, waveform, lengths, expected):
    with pytest.raises(ValueError, match=expected):
        encoder(waveform, lengths)


def test_that_silence_gives_finite_numbers(encoder):
    with torch.inference_mode():
        output = encoder(torch.zeros(1, encoder.sample_rate_hz // 2))
    assert output.embedding.isfinite().all()
    assert output.frames.isfinite().all()


def test_that_it_runs_in_half_precision(encoder):
    waveform = noise(encoder.sample_rate_hz, seed=9, batch=2)
    lengths = torch.tensor([encoder.sample_rate_hz, encoder.sample_rate_hz // 2])
    with torch.inference_mode():
        expected = encoder(waveform, lengths).embedding
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = encoder(waveform, lengths).embedding
    assert relative_error(half, expected) < 0.05


def test_that_the_registry_tells_what_the_encoder_is(name, encoder):
    config = encoder_config(name)
    assert (config.sample_rate_hz, config.dimension) == (encoder.sample_rate_hz, encoder.dimension)


def test_that_every_name_of_the_registry_builds():
    assert {*ENCODERS, "mn04", "mn10", "mn40"} <= set(encoder_names())
    with torch.device("meta"):
        for name in ("cnn10", "mn04"):
            assert isinstance(create_encoder(name), nn.Module)
