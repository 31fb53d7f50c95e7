"""The front-ends of PANNs, PaSST and ATST-Frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from encoder_numbers import FRONT_ENDS, front_end_numbers, noise
from hypothesis import given
from hypothesis import strategies as st
from reference_parameters import relative_error

from core.audio.atst_frontend import ATST_CONFIG, AtstLogMel, FrequencyWarping, warp_frequency
from core.audio.filterbank import hz_to_mel, mel_to_hz, triangular_mel_matrix
from core.audio.frontend import LogMel
from core.audio.panns_frontend import PannsLogMel, panns_config
from core.audio.passt_frontend import JitteredLogMel


@pytest.mark.parametrize(
    ("name", "key", "level_unit"),
    # The largest error is compared in dB: PaSST's unit is 5 nepers of power, ATST's half of 130.33 dB.
    [("panns-64", "logmel", 1.0), ("passt-128", "mel", 5 * 10 / np.log(10)), ("atst-64", "mel", 130.3324 / 2)],
)
def test_that_a_front_end_equals_its_reference(name, key, level_unit, golden):
    reference = golden(f"frontend-{name}")
    given_input = reference.facts["input"]
    waveform = noise(given_input["samples"], seed=given_input["seed"], batch=given_input["batch"])
    ours = FRONT_ENDS[name][0]()(waveform)[:, :64]
    expected = torch.from_numpy(reference.outputs[key])
    expected = expected[:, 0] if name == "panns-64" else expected.transpose(1, 2)
    assert relative_error(ours, expected) < 1e-4
    assert float((ours - expected).abs().max()) * level_unit < 1e-3


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_that_a_front_end_gives_the_numbers_that_we_keep(name, kept_numbers):
    found, kept = front_end_numbers(name)["mel"], kept_numbers[name]["mel"]
    assert relative_error(torch.tensor(found), torch.tensor(kept)) < 1e-5


@pytest.mark.parametrize("scale", ["slaney", "htk"])
@given(frequency_hz=st.floats(0.0, 16000.0))
def test_that_mels_go_back_to_their_frequency(scale, frequency_hz):
    there = hz_to_mel(np.array([frequency_hz]), scale)
    assert mel_to_hz(there, scale)[0] == pytest.approx(frequency_hz, abs=1e-6)


def test_that_the_mel_scales_have_their_published_anchors():
    assert hz_to_mel(np.array([1000.0]), "slaney")[0] == pytest.approx(15.0)
    assert hz_to_mel(np.array([6400.0]), "slaney")[0] == pytest.approx(42.0)
    assert hz_to_mel(np.array([1000.0]), "htk")[0] == pytest.approx(999.9855, abs=1e-3)


def test_that_slaney_triangles_have_area_one():
    config = panns_config(40)
    # Bins 4 times as narrow, so that sums come near to areas.
    fine = triangular_mel_matrix(replace(config, fft_samples=16384))
    areas = fine.sum(axis=0) * config.sample_rate_hz / 16384
    assert np.allclose(areas, 1.0, atol=2e-2)


def test_that_a_tone_is_loudest_in_its_own_bin():
    time_s = torch.arange(32000) / 32000
    mel = PannsLogMel()(torch.sin(2 * torch.pi * 3000.0 * time_s)[None])
    corners = np.linspace(*hz_to_mel(np.array([50.0, 14000.0]), "slaney"), 66)
    centres_hz = mel_to_hz(corners, "slaney")[1:-1]
    assert int(mel[0, 50].argmax()) == int(np.abs(centres_hz - 3000.0).argmin())


def test_that_a_frame_is_the_windowed_spectrum_around_its_centre():
    waveform = noise(32000, seed=9)
    frame, config = 20, panns_config()
    begin = frame * 320 - 512
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    power = np.abs(np.fft.rfft(waveform[0, begin : begin + 1024].double().numpy() * window)) ** 2
    expected = 10 * np.log10(power @ triangular_mel_matrix(config).astype(np.float64))
    assert np.abs(PannsLogMel()(waveform)[0, frame].numpy() - expected).max() < 1e-3


@pytest.mark.parametrize("kind", [PannsLogMel, AtstLogMel])
def test_that_a_shorter_clip_in_a_batch_has_the_log_mel_that_it_has_alone(kind):
    front_end = kind()
    waveform = noise(9000, seed=10, batch=3)
    lengths = torch.tensor([9000, 7001, 300])
    together, counts = front_end(waveform, lengths), front_end.frame_counts(lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = front_end(waveform[row : row + 1, :length])[0]
        assert len(alone) == counts[row]
        assert torch.allclose(together[row, : len(alone)], alone, atol=1e-4)


def test_that_a_loud_neighbour_does_not_lift_a_quiet_clip():
    quiet = 1e-4 * noise(16000, seed=11)
    loud = 100.0 * noise(16000, seed=12)
    front_end = AtstLogMel()
    assert torch.allclose(front_end(torch.cat([quiet, loud]))[0], front_end(quiet)[0], atol=1e-6)


def test_that_nothing_lies_more_than_80_db_below_the_loudest_bin():
    # Half of it silence, the other half loud enough for the floor to lie above -50 dB.
    waveform = torch.cat([torch.zeros(1, 8000), 0.9 * torch.sin(torch.arange(8000) * 0.4)[None]], dim=1)
    mel = AtstLogMel()(waveform)
    level_db = (mel + 1) / 2 * (50.6842 + 79.6482) - 79.6482
    assert float(level_db.max()) > 30.0
    assert float(level_db.max() - level_db.min()) == pytest.approx(80.0, abs=1e-3)


def test_that_warping_stretches_the_lower_bins_over_all():
    ramp = torch.arange(64.0).expand(2, 3, 64)
    warped = warp_frequency(ramp, torch.tensor([0, 6]))
    assert torch.equal(warped[0], ramp[0])
    expected = ((torch.arange(64.0) + 0.5) * 58 / 64 - 0.5).clamp(0, 57)
    assert torch.allclose(warped[1], expected.expand(3, 64), atol=1e-5)


def test_that_a_warped_clip_holds_nothing_of_the_dropped_bins():
    mel = torch.zeros(1, 4, 64)
    mel[:, :, 58:] = 1.0
    assert not warp_frequency(mel, torch.tensor([6])).any()
    assert warp_frequency(mel, torch.tensor([5])).any()


def test_that_warping_is_drawn_for_each_clip_and_only_in_training():
    mel = torch.arange(64.0).expand(200, 2, 64)
    warping = FrequencyWarping(0.1)
    assert torch.equal(warping.eval()(mel), mel)
    torch.manual_seed(0)
    tops = warping.train()(mel)[:, 0, -1].tolist()
    # At most a tenth of 64 bins, each number of them some time.
    assert {round(top) for top in tops} == {63 - dropped for dropped in range(7)}


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_that_warping_refuses_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="share of dropped bins"):
        FrequencyWarping(share)


def test_that_band_limits_move_in_training_alone():
    front_end = JitteredLogMel()
    waveform = noise(16000, seed=13)
    still = LogMel()(waveform)
    assert torch.equal(front_end.eval()(waveform), still)
    torch.manual_seed(1)
    assert not torch.allclose(front_end.train()(waveform), still, atol=1e-3)
    assert torch.equal(front_end.eval()(waveform), still)


def test_that_band_limits_stay_in_their_published_ranges():
    front_end = JitteredLogMel()
    torch.manual_seed(2)
    lows, highs = zip(*(front_end.draw_limits_hz() for _ in range(20000)), strict=True)
    assert set(lows) == set(range(10))
    assert (min(highs), max(highs)) == (14001, 16000)


def test_that_half_precision_does_not_reach_the_front_end():
    waveform = noise(16000, seed=14)
    for front_end in (LogMel(), PannsLogMel(), AtstLogMel(), JitteredLogMel().eval()):
        expected = front_end(waveform)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(front_end(waveform), expected)
        assert torch.allclose(front_end(waveform.half()), expected, atol=0.1)


def test_that_the_atst_front_end_has_1001_frames_for_ten_seconds():
    assert AtstLogMel()(noise(160000, seed=15)).shape == (1, 1001, ATST_CONFIG.mel_bins)
