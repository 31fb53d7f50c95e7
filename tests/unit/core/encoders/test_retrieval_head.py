"""The published models' heads, and encoders that take samples in place of log-mels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.encoders.head import create_audio_head, create_text_head
from core.encoders.registry import create_encoder
from core.encoders.waveform import SampleFrames, SampleStream, WaveformRunner

FRAMES = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[True] * 5, [True, True, True, False, False]])


@pytest.mark.parametrize("pooling", ["mean", "mean-max", "aggregated"])
def test_that_padding_takes_no_part_in_any_pooling(pooling: str) -> None:
    torch.manual_seed(0)
    head = create_audio_head("retrieval", inputs=6, dimension=4, pooling=pooling, parts=3).eval()
    together = head(torch.zeros(2, 6), None, FRAMES, MASK)
    alone = head(torch.zeros(1, 6), None, FRAMES[1:, :3], MASK[1:, :3])
    torch.testing.assert_close(together[1:], alone)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(2))


def test_that_a_clip_head_projects_the_encoders_own_vector() -> None:
    head = create_audio_head("retrieval", inputs=6, dimension=4, projection="linear").eval()
    assert not head.needs_frames
    expected = torch.nn.functional.normalize(head.projection.linear(FRAMES[:, 0]), dim=-1)
    torch.testing.assert_close(head(FRAMES[:, 0], None), expected)


def test_that_frames_hear_the_mean_caption_where_there_is_none() -> None:
    torch.manual_seed(0)
    options = {"inputs": 6, "dimension": 8, "pooling": "mean", "caption_inputs": 3, "heads": 2}
    head = create_audio_head("retrieval", **options).eval()
    caption = torch.randn(1, 3)
    head.mean_caption.copy_(caption)
    given = head(torch.zeros(2, 6), None, FRAMES, MASK, caption.expand(2, 1, 3))
    torch.testing.assert_close(head(torch.zeros(2, 6), None, FRAMES, MASK), given)
    assert not torch.allclose(head(torch.zeros(2, 6), None, FRAMES, MASK, -caption.expand(2, 1, 3)), given)


def test_that_sounds_are_pooled_by_the_mean_text_where_texts_pool() -> None:
    torch.manual_seed(0)
    head = create_audio_head("retrieval", inputs=6, dimension=8, pooling="mean", tap={"projection": 16}).eval()
    text = torch.randn(1, 8)
    head.mean_text.copy_(text)
    assert head.tap is not None
    expected = head.tap(head.members(FRAMES, MASK), text, MASK)[:, 0]
    found = head(torch.zeros(2, 6), None, FRAMES, MASK)
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected, dim=-1))


@pytest.mark.parametrize("wrong", [{"pooling": "maximum"}, {"caption_inputs": 3}, {"tap": {}}, {"projection": "cubic"}])
def test_that_options_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"pooling|frames|projection"):
        create_audio_head("retrieval", inputs=6, **wrong)


def test_that_texts_are_projected_to_unit_length() -> None:
    head = create_text_head("retrieval", inputs=6, dimension=4).eval()
    torch.testing.assert_close(head(FRAMES[:, 0]).norm(dim=1), torch.ones(2))
    assert head.members(FRAMES).shape == (2, 5, 4)


@pytest.mark.parametrize("block", [1, 319, 320, 1000])
def test_that_framed_samples_do_not_depend_on_the_blocks(block: int) -> None:
    samples = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    stream = SampleStream(SampleFrames(32000))
    frames = [stream.push(samples[begin : begin + block]) for begin in range(0, 1000, block)]
    joined = np.concatenate([*frames, stream.finish()])
    assert joined.shape == (4, 320)
    assert np.array_equal(joined.reshape(-1)[:1000], samples)
    assert not joined.reshape(-1)[1000:].any()


def test_that_an_empty_sound_has_no_frames() -> None:
    with pytest.raises(ValueError, match="empty"):
        SampleStream(SampleFrames(32000)).finish()


def test_that_windows_of_other_lengths_do_not_change_a_result() -> None:
    torch.manual_seed(0)
    runner = WaveformRunner(create_encoder("cnn10"), "cpu")
    rng = np.random.default_rng(0)
    long, short = (rng.standard_normal((frames, 320)).astype(np.float32) * 0.1 for frames in (120, 60))
    embedding, _, frames, mask = runner([long, short, long])
    alone = runner([short])
    torch.testing.assert_close(embedding[1], alone[0][0])
    torch.testing.assert_close(embedding[0], embedding[2])
    assert mask.sum(dim=1).tolist() == [frames.shape[1], alone[2].shape[1], frames.shape[1]]
