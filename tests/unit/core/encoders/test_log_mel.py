from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from reference_parameters import relative_error
from small_model import noise

from core.audio.frontend import PASST_LOG_MEL, LogMel, kaldi_mel_matrix
from core.audio.mel_stream import LogMelStream, MelBank, fast_log_mel


@pytest.fixture(scope="module")
def bank() -> MelBank:
    return MelBank()


@pytest.mark.corpus
def test_that_the_log_mel_is_passts(material: Path) -> None:
    golden = np.load(material / "golden" / "frontend-passt-128.npz")["mel"]
    ours = LogMel()(noise(320000, batch=2)).transpose(1, 2)[:, :, : golden.shape[2]]
    assert relative_error(ours, golden) < 1e-5


def test_that_a_tone_lands_in_the_triangle_around_its_frequency() -> None:
    tone = torch.sin(2 * torch.pi * 1000.0 * torch.arange(32000) / 32000)
    loudest = int(LogMel()(tone[None])[0, 50].argmax())
    centres_mel = 1127 * np.log1p(15000 / 700) / 129 * (np.arange(128) + 1)
    centres_hz = 700 * np.expm1(centres_mel / 1127)
    assert loudest == int(np.abs(centres_hz - 1000.0).argmin())


def test_that_the_highest_bin_of_the_spectrum_carries_no_weight() -> None:
    matrix = kaldi_mel_matrix(PASST_LOG_MEL)
    assert matrix.shape == (513, 128)
    assert not matrix[512].any()
    assert not matrix[481:].any()  # above 15 kHz
    assert matrix[480].any()


def test_that_ten_seconds_are_a_thousand_frames() -> None:
    assert LogMel()(noise(320000)).shape == (1, 1000, 128)
    assert PASST_LOG_MEL.frames(320000) == 1000


@pytest.mark.parametrize("samples", [1, 320, 513, 514, 515, 1023, 40000])
def test_that_padding_does_not_change_a_clips_log_mel(samples: int) -> None:
    padded = noise(64000, batch=2)
    alone = LogMel()(padded[:1, :samples])
    lengths = torch.tensor([samples, 64000])
    batched = LogMel()(padded, lengths)
    assert LogMel().frame_counts(lengths).tolist() == [alone.shape[1], 200]
    torch.testing.assert_close(batched[:1, : alone.shape[1]], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 514, 1345, 96000])
def test_that_the_fast_log_mel_is_the_same(bank: MelBank, samples: int) -> None:
    sound = noise(samples)
    fast = torch.from_numpy(fast_log_mel(bank, sound[0].numpy()))
    exact = LogMel().double()(sound.double())[0]
    assert fast.shape == exact.shape
    assert relative_error(fast, exact) < 2e-6
    torch.testing.assert_close(fast.double(), exact, rtol=0, atol=1e-4)


@pytest.mark.parametrize("block", [7, 319, 4096, 50000])
def test_that_a_stream_gives_the_frames_of_the_whole(bank: MelBank, block: int) -> None:
    sound = noise(20000 if block > 7 else 3000)[0].numpy()
    stream = LogMelStream(bank)
    pieces = [stream.push(sound[begin : begin + block]) for begin in range(0, len(sound), block)]
    together = np.concatenate([*pieces, stream.finish()])
    np.testing.assert_allclose(together, fast_log_mel(bank, sound), rtol=0, atol=1e-6)


def test_that_a_stream_gives_frames_before_the_sound_ends(bank: MelBank) -> None:
    assert len(LogMelStream(bank).push(noise(32000)[0].numpy())) > 90


def test_that_silence_has_the_value_that_the_configuration_names(bank: MelBank) -> None:
    frames = fast_log_mel(bank, np.zeros(3200, dtype=np.float32))
    np.testing.assert_allclose(frames, (np.log(PASST_LOG_MEL.floor) + 4.5) / 5, rtol=1e-6)


def test_that_an_empty_sound_is_refused(bank: MelBank) -> None:
    with pytest.raises(ValueError, match="empty"):
        fast_log_mel(bank, np.zeros(0, dtype=np.float32))


def test_that_stereo_is_refused(bank: MelBank) -> None:
    with pytest.raises(ValueError, match="shape"):
        fast_log_mel(bank, np.zeros((100, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="shape"):
        LogMel()(torch.zeros(1, 100, 2))
