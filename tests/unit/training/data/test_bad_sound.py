"""What a researcher is told when a sound of the training set cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from dataset_layout import RATE_HZ, write_sound

from core.encoders.registry import create_encoder
from core.errors import UnusableFileError
from training.config import TrunkConfig
from training.data.cache import file_digest
from training.data.dataset import Clip
from training.data.feature import ClipReader
from training.data.sound import read_sound
from training.retrieval.config import AudioPart
from training.retrieval.sound import LiveSounds


def clip(path: Path) -> Clip:
    return Clip("the id", path, ("a sound",), "train")


@pytest.mark.parametrize("content", [b"", b"RIFF no sound", None])
def test_that_a_broken_or_missing_file_is_named_with_its_clip(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableFileError, match=r"the clip the id \(.*broken\.wav\)") as raised:
        read_sound(clip(path), sample_rate_hz=32_000)
    assert "describe --decode" in str(raised.value)


def test_that_a_file_that_vanished_before_hashing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match=r"gone\.wav cannot be read"):
        file_digest(tmp_path / "gone.wav")


@pytest.mark.parametrize("samples", [1, 7, 300])
def test_that_a_clip_shorter_than_a_frame_has_features(tmp_path: Path, samples: int) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(samples, 0.5), RATE_HZ)
    mel = ClipReader(TrunkConfig(shortest_s=1.0))(clip(tmp_path / "short.wav"))
    assert mel.shape == (100, 128)
    assert np.isfinite(mel).all()


@pytest.mark.parametrize("level", [0.0, 3.0])
def test_that_silent_and_clipped_sounds_have_finite_features(tmp_path: Path, level: float) -> None:
    path = write_sound(tmp_path / "odd.wav", level=level)
    assert np.isfinite(ClipReader(TrunkConfig())(clip(path))).all()


@pytest.mark.parametrize("encoder", ["mn04", "cnn10"])
def test_that_odd_sounds_in_one_batch_teach_finite_numbers(tmp_path: Path, encoder: str) -> None:
    """As the published recipes take them: waveforms of any length side by side, through an encoder that learns."""
    clips = [clip(write_sound(tmp_path / f"{level}.wav", level=level)) for level in (0.0, 3.0, 0.3)]
    for samples in (1, 300):
        soundfile.write(tmp_path / f"{samples}.wav", np.full(samples, 0.5), RATE_HZ)
        clips.append(clip(tmp_path / f"{samples}.wav"))
    torch.manual_seed(0)
    part = AudioPart(encoder=encoder, checkpoint="", tuned="all", shortest_s=0)
    sounds = LiveSounds(create_encoder(encoder), clips, part).train()
    output = sounds(sounds.batch(np.arange(len(clips)), np.random.default_rng(0)))
    assert torch.isfinite(output.embedding).all()
    output.embedding.square().sum().backward()
    gradients = [parameter.grad for parameter in sounds.parameters() if parameter.grad is not None]
    assert gradients
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
