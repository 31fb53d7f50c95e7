"""Options of the single families: poolings, patchout, pieces, warping, stochastic depth."""

from __future__ import annotations

import pytest
import torch
from encoder_numbers import drawn_encoder, encoder_numbers, noise
from reference_parameters import relative_error

from core.encoders.atst import AtstFrameEncoder
from core.encoders.convnext import ConvNextBlock
from core.encoders.length_mask import mean_plus_max
from core.encoders.panns import PannsEncoder
from core.encoders.passt import PasstEncoder, PasstTrunk
from core.encoders.piece import cut_pieces
from core.encoders.registry import UnknownEncoderError, create_encoder


def test_that_a_near_name_is_suggested():
    with pytest.raises(UnknownEncoderError, match="cnn14"):
        create_encoder("CNN-14")


def test_that_panns_give_their_pooled_map_when_asked():
    waveform = noise(32000, seed=1, batch=2)
    lengths = torch.tensor([32000, 20000])
    with torch.inference_mode():
        plain = drawn_encoder("cnn10")(waveform, lengths)
        pooled = drawn_encoder("cnn10", embedding="pooled")(waveform, lengths)
    assert torch.allclose(pooled.embedding, mean_plus_max(plain.frames, plain.frame_mask))
    assert torch.equal(pooled.logits, plain.logits)
    assert not torch.allclose(pooled.embedding, plain.embedding)


@pytest.mark.slow
def test_that_cnn14_of_mei_pools_its_last_block_too(kept_numbers):
    encoder = drawn_encoder("cnn14-mei")
    found = encoder_numbers(encoder)
    for key, numbers in kept_numbers["cnn14-mei"].items():
        assert relative_error(torch.tensor(found[key]), torch.tensor(numbers)) < 1e-4, key
    published = drawn_encoder("cnn14")
    waveform, lengths = noise(64000, seed=2, batch=2), torch.tensor([64000, 44800])
    with torch.inference_mode():
        theirs, ours = published(waveform, lengths), encoder(waveform, lengths)
        alone = encoder(waveform[1:, :44800])
    assert (theirs.frames.shape[1], ours.frames.shape[1]) == (6, 3)
    # Both pool after the same convolutions, so two frames of the one are a frame of the other.
    pairs = theirs.frames[0].view(3, 2, -1).mean(dim=1)
    assert relative_error(ours.frames[0], pairs) < 1e-5
    assert torch.allclose(ours.frame_times_s, theirs.frame_times_s.view(3, 2).mean(dim=1))
    assert relative_error(ours.embedding[1], alone.embedding[0]) < 1e-5


def test_that_mean_plus_max_leaves_padding_out():
    frames = torch.tensor([[[-1.0], [-3.0], [0.0]]])
    assert mean_plus_max(frames, torch.tensor([[True, True, False]])).tolist() == [[-3.0]]


@pytest.mark.parametrize(("network", "last_pool"), [("resnet38", 2), ("cnn14", 3)])
def test_that_a_pooling_that_is_none_is_refused(network, last_pool):
    with pytest.raises(ValueError, match="last_pool is 1 or 2"):
        PannsEncoder(network=network, last_pool=last_pool)


def test_that_stochastic_depth_leaves_whole_clips_out():
    torch.manual_seed(0)
    block = ConvNextBlock(8, drop_path=0.5).train()
    torch.nn.init.ones_(block.gamma)
    maps = torch.randn(64, 8, 4, 4)
    with torch.no_grad():
        moved = (block(maps, None) != maps).flatten(1).any(dim=1)
        twice = block.eval()(maps, None) - maps
    assert 16 < int(moved.sum()) < 48
    assert (twice != 0).flatten(1).any(dim=1).all()


def _cut(lengths: list[int], *, fill: bool = False, samples: int = 25):
    waveform = torch.arange(1.0, samples + 1).expand(len(lengths), -1)
    return cut_pieces(waveform, torch.tensor(lengths), piece_samples=10, shortest_samples=3, fill=fill)


def test_that_pieces_follow_each_other_and_end_in_silence():
    pieces = _cut([25, 10, 4])
    assert pieces.counts.tolist() == [3, 1, 1]
    assert pieces.lengths.tolist() == [10, 10, 5, 10, 4]
    assert pieces.waveform[1].tolist() == list(range(11, 21))
    assert pieces.waveform[2].tolist() == [21, 22, 23, 24, 25, 0, 0, 0, 0, 0]
    assert pieces.waveform[4].tolist() == [1, 2, 3, 4, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("length", "count"), [(1, 1), (10, 1), (12, 1), (13, 2), (20, 2), (22, 2), (23, 3)])
def test_that_a_rest_too_short_to_encode_is_left_out(length, count):
    assert _cut([length]).counts.tolist() == [count]


def test_that_short_clips_are_not_blown_up_to_a_whole_piece():
    assert _cut([7, 4]).waveform.shape == (2, 7)
    assert _cut([2]).waveform.tolist() == [[1, 2, 0]]


def test_that_filled_pieces_are_whole():
    pieces = _cut([25, 4], fill=True)
    assert pieces.lengths is None
    assert pieces.waveform.shape == (4, 10)
    assert pieces.waveform[3].tolist() == [1, 2, 3, 4, 0, 0, 0, 0, 0, 0]


def test_that_a_clips_embedding_is_the_mean_of_its_own_pieces():
    values = torch.tensor([[2.0], [4.0], [12.0], [7.0]])
    assert _cut([25, 10]).mean(values).flatten().tolist() == pytest.approx([(2 * 10 + 4 * 10 + 12 * 5) / 25, 7.0])
    assert _cut([25, 10], fill=True).mean(values).flatten().tolist() == pytest.approx([6.0, 7.0])


def test_that_frames_of_pieces_are_joined_in_their_order():
    pieces = _cut([25, 10])
    frames = torch.arange(8.0).view(4, 2, 1)
    assert pieces.joined(frames)[..., 0].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 0, 0, 0, 0]]
    assert pieces.times_s(torch.tensor([0.1, 0.3]), 10).tolist() == pytest.approx([0.1, 0.3, 1.1, 1.3, 2.1, 2.3])


@pytest.fixture(scope="module")
def passt() -> PasstEncoder:
    return drawn_encoder("passt-s-p16-s16-128-ap468")


@pytest.fixture(scope="module")
def atst() -> AtstFrameEncoder:
    return drawn_encoder("atst-frame")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["passt", "atst"])
def test_that_a_long_clip_is_the_weighted_mean_of_its_pieces(name, request):
    encoder = request.getfixturevalue(name)
    piece = 10 * encoder.sample_rate_hz
    clip = noise(int(1.25 * piece), seed=3)
    lengths = torch.tensor([clip.shape[1], piece // 4])
    with torch.inference_mode():
        first, rest = encoder(clip[:, :piece]), encoder(clip[:, piece:])
        whole = encoder(clip.expand(2, -1), lengths)
    expected = (first.embedding[0] * 4 + rest.embedding[0]) / 5
    assert relative_error(whole.embedding[0], expected) < 1e-5
    own = whole.frames[0, whole.frame_mask[0]]
    assert relative_error(own, torch.cat([first.frames[0], rest.frames[0]])) < 1e-5
    times_s = whole.frame_times_s[whole.frame_mask[0]]
    assert torch.allclose(times_s, torch.cat([first.frame_times_s, 10 + rest.frame_times_s]))
    # The other clip has one piece only, and the clip beside it adds nothing.
    assert not whole.frame_mask[1, first.frames.shape[1] :].any()


@pytest.mark.slow
def test_that_the_published_way_looks_at_the_silence_behind_a_clip(atst):
    encoder = atst
    clip = noise(2 * encoder.sample_rate_hz, seed=4)
    filled = torch.nn.functional.pad(clip, (0, 8 * encoder.sample_rate_hz))
    with torch.inference_mode():
        masked, silent = encoder(clip), encoder(filled)
        encoder.fill_pieces = True
        published = encoder(clip)
    encoder.fill_pieces = False
    assert torch.equal(published.embedding, silent.embedding)
    assert relative_error(masked.embedding, silent.embedding) > 1e-3


@pytest.mark.slow
def test_that_patchout_leaves_6_rows_and_47_columns_of_10_s_in_training_alone(passt):
    tokens = []
    hook = passt.trunk.blocks[0].register_forward_hook(lambda _module, inputs, _output: tokens.append(inputs[0].shape))
    torch.manual_seed(0)
    with torch.inference_mode():
        try:
            trained = passt.train()(noise(320000, seed=5))
            passt.eval()(noise(32000, seed=5))
        finally:
            passt.eval()
            hook.remove()
    assert [shape[1] for shape in tokens] == [2 + 6 * 47, 2 + 8 * 6]
    assert trained.frames.shape == (1, 47, 768)
    times_s = trained.frame_times_s
    assert (times_s.diff() > 0).all()
    every_s = 0.075 + 0.16 * torch.arange(62)
    assert ((times_s[:, None] - every_s).abs().min(dim=1).values < 1e-4).all()


def test_that_every_column_is_dropped_as_often_as_any_other():
    with torch.device("meta"):
        trunk = PasstTrunk(classes=2, time_patchout=15, frequency_patchout=2).train()
    from core.encoders.passt import _Grid

    torch.manual_seed(0)
    seen, draws = torch.zeros(62), 3000
    for _ in range(draws):
        grid = trunk._patched_out(_Grid(torch.zeros(1, 8, 62, 1), None, torch.arange(62)))
        assert grid.patches.shape == (1, 6, 47, 1)
        seen[grid.columns] += 1
    share = seen / draws
    assert float((share - 47 / 62).abs().max()) < 4 * (47 / 62 * 15 / 62 / draws) ** 0.5


def test_that_patchout_leaves_every_piece_something():
    with torch.device("meta"):
        trunk = PasstTrunk(classes=2, time_patchout=15, frequency_patchout=2).train()
    from core.encoders.passt import _Grid

    torch.manual_seed(0)
    mask = torch.arange(62) < torch.tensor([[2], [62]])
    for _ in range(200):
        grid = trunk._patched_out(_Grid(torch.zeros(2, 8, 62, 1), mask, torch.arange(62)))
        assert grid.mask.any(dim=1).all()
    short = trunk._patched_out(_Grid(torch.zeros(1, 8, 5, 1), None, torch.arange(5)))
    assert short.columns.shape == (1,)


@pytest.mark.parametrize(("columns", "rows"), [(62, 0), (0, 8), (-1, 0)])
def test_that_patchout_of_everything_is_refused(columns, rows):
    with pytest.raises(ValueError, match="patchout leaves at least one"):
        PasstTrunk(classes=2, time_patchout=columns, frequency_patchout=rows)


@pytest.mark.slow
def test_that_frequency_warping_reaches_the_embedding(atst):
    clip = noise(16000, seed=6)
    with torch.inference_mode():
        still = atst(clip).embedding
        torch.manual_seed(3)
        warped = atst.train()(clip).embedding
        atst.frequency_warping.max_dropped = 0.0
        unwarped = atst(clip).embedding
    atst.frequency_warping.max_dropped = 0.1
    atst.eval()
    assert relative_error(warped, still) > 1e-3
    assert relative_error(unwarped, still) < 1e-6
