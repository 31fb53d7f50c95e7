"""What a recipe changes of sounds and captions while training, and leaves alone when it measures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dataset_layout import write_sound

from core.encoders.registry import create_encoder
from core.encoders.text import TextEncoder, TokenBatch
from training.data.dataset import Clip
from training.data.text_augmentation import TextAugmentation
from training.retrieval.config import AudioPart, TextPart
from training.retrieval.sound import LiveSounds, read_clip
from training.retrieval.wording import LiveWording

RATE_HZ = 32_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = write_sound(tmp_path_factory.mktemp("sounds") / "a.wav", duration_s=1.0, level=0.05)
    return Clip("a", path, ("a dog barks",), "train")


def part(**changes: object) -> AudioPart:
    fields: dict[str, object] = {"checkpoint": "", "tuned": "all", "shortest_s": 0}
    return AudioPart.model_validate({**fields, **changes})


def test_that_gain_and_noise_come_with_a_recipe_that_asks_and_with_training_alone(clip: Clip) -> None:
    quiet = part()
    louder = part(wave_augment={"gain_db": 6.0})
    noisy = part(wave_augment={"gain_db": 0.0, "noise_share": 1.0, "noise_snr_db": [20.0, 20.0]})
    plain = read_clip(clip, quiet, RATE_HZ)
    for config in (quiet, louder, noisy):
        assert np.array_equal(read_clip(clip, config, RATE_HZ), plain)
    assert np.array_equal(read_clip(clip, quiet, RATE_HZ, np.random.default_rng(0)), plain)
    changed = read_clip(clip, louder, RATE_HZ, np.random.default_rng(0))
    ratio = float(np.abs(changed).max() / np.abs(plain).max())
    assert ratio != pytest.approx(1.0, abs=1e-3)
    assert 10 ** (-6 / 20) <= ratio <= 10 ** (6 / 20)
    noise = read_clip(clip, noisy, RATE_HZ, np.random.default_rng(0)) - plain
    assert 20 * np.log10(plain.std() / noise.std()) == pytest.approx(20.0, abs=0.2)


def test_that_stripes_reach_the_log_mel_of_an_encoder_while_training_alone(clip: Clip) -> None:
    torch.manual_seed(0)
    wide = {"time_stripes": 2, "time_frames": 60, "mel_stripes": 2, "mel_bins": 60}
    sounds = LiveSounds(create_encoder("mn04"), [clip], part(spec_augment=wide))
    heard: list[torch.Tensor] = []
    # The trunk is given what comes out of the front-end.
    sounds.network.get_submodule("trunk").register_forward_pre_hook(lambda module, inputs: heard.append(inputs[0]))
    batch = sounds.batch(np.asarray([0]))
    for training in (True, True, False, False):
        sounds.train(training)
        with torch.no_grad():
            sounds(batch)
    assert not torch.equal(heard[0], heard[1])
    assert torch.equal(heard[2], heard[3])
    striped = heard[0] != heard[2]
    assert striped.any()
    assert torch.unique(heard[0][striped]).numel() == 1, "each clip's stripes hold its own mean"


class Listed(TextEncoder):
    """Remembers the texts that it is given."""

    dimension = 4

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.texts: list[str] = []

    def tokenise(self, texts: Sequence[str]) -> TokenBatch:
        self.texts = list(texts)
        nothing: Any = torch.zeros(len(texts), 1)
        return TokenBatch(nothing, nothing, nothing)


def test_that_captions_are_changed_with_training_alone() -> None:
    captions = ["a loud dog barks and a small bird chirps"] * 20
    rows = np.arange(20)
    encoder = Listed()
    changing = TextAugmentation(probability=1.0, drop=0.3, replace=0.5)
    wording = LiveWording(encoder, captions, augmentation=changing)
    wording.batch(rows)
    assert encoder.texts == captions
    wording.batch(rows, np.random.default_rng(1))
    first = encoder.texts
    assert len(set(first)) > 5
    wording.batch(rows, np.random.default_rng(1))
    assert encoder.texts == first
    LiveWording(encoder, captions).batch(rows, np.random.default_rng(1))
    assert encoder.texts == captions


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: AudioPart.model_validate({"wave_augment": {}}), "wave_augment needs waveforms"),
        (lambda: AudioPart.model_validate({"spec_augment": {}}), "spec_augment needs waveforms"),
        (lambda: part(wave_augment={"noise_snr_db": [30, 10]}), "smaller distance"),
        (lambda: TextPart.model_validate({"augmentation": {}}), "words themselves"),
    ],
)
def test_that_changes_that_cannot_be_made_are_refused(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_that_a_recipe_can_ask_for_all_of_them() -> None:
    from training.recipe import load_any, recipe_path

    asked = [
        "audio.wave_augment={gain_db: 3, noise_share: 0.5}",
        "text.augmentation={drop: 0.1}",
    ]
    recipe = load_any(recipe_path("mei/clotho-tuned-nt-xent"), asked)
    assert recipe.audio.wave_augment.gain_db == 3
    assert recipe.text.augmentation.drop == 0.1
    assert Path(recipe.audio.checkpoint).name
