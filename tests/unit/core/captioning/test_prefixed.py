from __future__ import annotations

import pytest
import torch
from small_captioner import DECODER, small_decoder
from small_model import DIMENSION, drawn_encoder

from core.captioning.generation import generate_captions
from core.captioning.prefixed import stretch_means
from core.captioning.protocol import AudioFeatures
from core.captioning.scoring import score_captions, score_pairs
from core.captioning.vocabulary import EOS
from core.captioning.writer import place_clips, takes_summaries
from core.encoders.efficientat import MobileNetTrunk
from core.encoders.profile_head import ProfileAudioHead

STRETCHES = int(str(DECODER["stretches"]))


def audio(clips: int = 4, frames: int = 6, seed: int = 1) -> AudioFeatures:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(clips, frames, dtype=torch.bool)
    mask[-1, 2:] = False
    clip = torch.randn(clips, (1 + STRETCHES) * DIMENSION, generator=generator)
    return AudioFeatures(torch.randn(clips, frames, 384, generator=generator), mask, clip)


def test_that_remembered_captions_are_those_of_every_prefix_anew() -> None:
    decoder = small_decoder()
    remembered = generate_captions(decoder, audio())
    anew = generate_captions(decoder, audio(), cached=False)
    for ours, theirs in zip(remembered, anew, strict=True):
        assert [beam.tokens for beam in ours] == [beam.tokens for beam in theirs]
        assert [beam.mean_log_probability for beam in ours] == pytest.approx(
            [beam.mean_log_probability for beam in theirs], abs=1e-5
        )


def test_that_pairs_score_as_the_diagonal_of_all() -> None:
    decoder, captions = small_decoder(), [[4, 5, EOS], [6, 7, 8, 9, EOS], [EOS], [4, 10, EOS]]
    everything = score_captions(decoder, audio(), captions)
    assert torch.allclose(score_pairs(decoder, audio(), captions), everything.diagonal(), atol=1e-5)


def test_that_pairs_need_one_caption_for_each_sound() -> None:
    with pytest.raises(ValueError, match="a caption with tokens for each of 4 audios"):
        score_pairs(small_decoder(), audio(), [[4, EOS]])


def test_that_the_order_of_the_stretches_is_heard() -> None:
    decoder, heard = small_decoder(), audio()
    assert heard.clip is not None
    parts = heard.clip.view(len(heard), 1 + STRETCHES, DIMENSION)
    turned = torch.cat([parts[:, :1], parts[:, 1:].flip(1)], dim=1).flatten(1)
    captions = [[4, 5, 6, EOS]] * len(heard)
    backwards = AudioFeatures(heard.frames, heard.frame_mask, turned)
    before, after = score_pairs(decoder, heard, captions), score_pairs(decoder, backwards, captions)
    assert (before - after).abs().min() > 1e-3


def test_that_a_clip_without_its_stretches_is_refused() -> None:
    heard = audio()
    assert heard.clip is not None
    with pytest.raises(ValueError, match="of the clip and its stretches"):
        small_decoder().hear(AudioFeatures(heard.frames, heard.frame_mask, heard.clip[:, :DIMENSION]))


def test_that_stretches_share_the_frames_on_their_borders() -> None:
    frames = torch.arange(6.0)[None, :, None]
    mask = torch.ones(1, 6, dtype=torch.bool)
    assert torch.allclose(stretch_means(frames, mask, 3).flatten(), torch.tensor([0.5, 2.5, 4.5]))
    mask[0, 3:] = False
    # Three frames in two stretches: the middle one belongs to both by half.
    assert torch.allclose(stretch_means(frames, mask, 2).flatten(), torch.tensor([1 / 3, 5 / 3]))


def test_that_a_single_frame_is_every_stretch() -> None:
    frames = torch.tensor([[[7.0], [100.0]]])
    mask = torch.tensor([[True, False]])
    assert torch.allclose(stretch_means(frames, mask, 4).flatten(), torch.full((4,), 7.0))


@pytest.fixture(scope="module")
def tapped() -> MobileNetTrunk:
    trunk = MobileNetTrunk(width=0.4, taps=(2,), mel_summary=True).eval()
    trunk.load_state_dict(drawn_encoder(0.4).trunk.state_dict())
    return trunk


def sharp_head(trunk_dimension: int) -> ProfileAudioHead:
    torch.manual_seed(0)
    head = ProfileAudioHead(trunk_dimension=trunk_dimension, dimension=DIMENSION, hidden=16).eval()
    torch.nn.init.normal_(head.residual[3].weight)
    return head


def test_that_a_head_is_told_of_the_whole_summary_if_it_wants_to_be(tapped: MobileNetTrunk) -> None:
    summaries = torch.randn(3, tapped.summary_dimension, generator=torch.Generator().manual_seed(0))
    changed = summaries.clone()
    changed[:, -1] += 3.0
    frames, mask = torch.zeros(3, 1, tapped.dimension), torch.ones(3, 1, dtype=torch.bool)
    for inputs, hears in ((tapped.dimension, False), (tapped.summary_dimension, True)):
        head = sharp_head(inputs)
        assert takes_summaries(head, tapped) == hears
        one, other = (place_clips(own, frames, mask, tapped, head, stretches=0) for own in (summaries, changed))
        assert one.shape == (3, DIMENSION + tapped.summary_dimension)
        assert torch.equal(one[:, DIMENSION:], summaries)
        assert torch.equal(one[:, :DIMENSION], other[:, :DIMENSION]) != hears


def test_that_such_a_head_places_no_stretches(tapped: MobileNetTrunk) -> None:
    summaries = torch.zeros(1, tapped.summary_dimension)
    frames, mask = torch.zeros(1, 4, tapped.dimension), torch.ones(1, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="cannot place a stretch"):
        place_clips(summaries, frames, mask, tapped, sharp_head(tapped.summary_dimension), stretches=2)


def test_that_a_head_of_another_trunk_is_refused(tapped: MobileNetTrunk) -> None:
    with pytest.raises(ValueError, match="the head takes 7 numbers"):
        takes_summaries(sharp_head(7), tapped)
