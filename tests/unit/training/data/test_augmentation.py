from __future__ import annotations

import numpy as np
import pytest
import torch

from core.audio.atst_frontend import FrequencyWarping
from core.encoders.registry import create_encoder
from training.captioning.relation import take_apart
from training.data.augmentation import SpecAugment, draw_mixture
from training.data.synonym import SYNONYMS
from training.data.text_augmentation import TextAugmentation, change_caption
from training.data.wave_augmentation import add_noise, change_gain


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_that_stripes_are_as_many_and_as_wide_as_told() -> None:
    torch.manual_seed(0)
    blank = SpecAugment(time_stripes=2, time_width=5, feature_stripes=1, feature_width=3, fill=-7.0)
    x = torch.ones(200, 50, 20)
    hit = blank(x) == -7.0
    in_time, in_features = hit.all(dim=2), hit.all(dim=1)
    assert torch.equal(hit, in_time[:, :, None] | in_features[:, None, :])
    assert int(in_time.sum(dim=1).max()) == 10
    assert int(in_features.sum(dim=1).max()) == 3
    starts = (in_time & ~torch.nn.functional.pad(in_time, (1, 0))[:, :-1]).sum(dim=1)
    assert int(starts.max()) == 2
    assert len({tuple(row) for row in in_time.tolist()}) > 100
    assert in_time.any(dim=0).all()
    assert in_features.any(dim=0).all()


def test_that_stripes_fall_onto_the_sound_and_not_onto_padding() -> None:
    torch.manual_seed(0)
    blank = SpecAugment(time_stripes=3, time_width=4, feature_stripes=0)
    lengths = torch.tensor([6, 30, 1])
    hits = torch.stack([(blank(torch.ones(3, 30, 2), lengths) == 0)[:, :, 0] for _ in range(300)])
    assert hits[:, 0, :6].any(dim=0).all()
    assert not hits[:, 0, 6:].any()
    assert hits[:, 1].any(dim=0).all()
    assert not hits[:, 2, 1:].any()


def test_that_a_blank_can_hold_each_clips_own_mean() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 40, 8)
    lengths = torch.tensor([40, 10, 25, 40, 7, 30])
    blanked = SpecAugment(time_stripes=2, time_width=6, feature_stripes=0, fill=None)(x, lengths)
    changed = blanked != x
    assert changed.any(dim=(1, 2)).sum() >= 4
    for row, length in enumerate(lengths.tolist()):
        assert torch.allclose(blanked[row][changed[row]], x[row, :length].mean())


def test_that_nothing_is_blanked_outside_training_and_the_input_stays() -> None:
    blank = SpecAugment()
    x = torch.ones(4, 31, 768)
    assert (blank(x) == 0).any()
    assert bool((x == 1).all())
    assert torch.equal(blank.eval()(x), x)


def test_that_no_stripe_is_wider_than_its_share_and_the_draws_stay_the_same() -> None:
    """What was trained follows from these draws: they are those of the first captioner, stripe by stripe."""
    x = torch.randn(500, 11, 8, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    blanked = SpecAugment(
        time_stripes=6, time_width=4, feature_stripes=2, feature_width=1, largest_share=0.25, fill=None
    )(x)
    torch.manual_seed(0)
    expected = torch.zeros(x.shape, dtype=torch.bool)
    for size, stripes, widest, axis in ((11, 6, 2, 1), (8, 2, 1, 2)):
        place = torch.arange(size)
        for _ in range(stripes):
            width = torch.randint(widest + 1, (500, 1))
            start = (torch.rand(500, 1) * (size - width + 1)).long()
            stripe = (place >= start) & (place < start + width)
            expected |= stripe[:, :, None] if axis == 1 else stripe[:, None, :]
    assert torch.equal(blanked != x, expected)
    torch.testing.assert_close(blanked[expected], x.mean(dim=(1, 2), keepdim=True).expand_as(x)[expected])
    with pytest.raises(ValueError, match="a share"):
        SpecAugment(largest_share=0.0)


def test_that_a_mixture_is_the_same_for_frames_and_words_and_keeps_a_row_mostly_itself() -> None:
    torch.manual_seed(1)
    shares = []
    for _ in range(200):
        mixture = draw_mixture(5, alpha=0.4)
        shares.append(mixture.share)
        frames, words = torch.randn(5, 7, 3), torch.randn(5, 4, 2)
        for x in (frames, words):
            expected = torch.stack(
                [mixture.share * x[row] + (1 - mixture.share) * x[other] for row, other in enumerate(mixture.partners)]
            )
            assert torch.allclose(mixture(x), expected)
        assert sorted(mixture.partners.tolist()) == [0, 1, 2, 3, 4]
    assert 0.5 <= min(shares) < 0.6
    assert max(shares) <= 1.0
    # The mean of max(l, 1-l) for Beta(.4, .4), by numerical integration.
    assert np.mean(shares) == pytest.approx(0.86, abs=0.03)


def test_that_no_alpha_mixes_nothing_and_another_batch_is_refused() -> None:
    x = torch.randn(4, 2)
    assert torch.equal(draw_mixture(4, alpha=0.0)(x), x)
    with pytest.raises(ValueError, match="4 rows, not of 3"):
        draw_mixture(4)(x[:3])


def test_that_the_same_generator_state_draws_the_same() -> None:
    torch.manual_seed(5)
    first = (SpecAugment()(torch.ones(3, 100, 64)), draw_mixture(6).share)
    torch.manual_seed(5)
    again = (SpecAugment()(torch.ones(3, 100, 64)), draw_mixture(6).share)
    assert torch.equal(first[0], again[0])
    assert first[1] == again[1]


def test_that_frequency_warping_and_patchout_are_there_for_training_alone() -> None:
    torch.manual_seed(0)
    mel = torch.arange(64.0).expand(8, 10, 64)
    warp = FrequencyWarping(0.1)
    assert float((warp(mel) - mel).abs().max()) > 1
    assert torch.equal(warp.eval()(mel), mel)
    options = {"time_patchout": 15, "frequency_patchout": 2}
    with torch.device("meta"):  # its 86 million parameters are not needed here
        trunk = create_encoder("passt-s-p16-s16-128-ap468", **options).trunk
    assert (trunk.time_patchout, trunk.frequency_patchout) == (15, 2)


def test_that_gain_stays_within_its_bounds_and_below_full_scale() -> None:
    samples = 0.1 * rng().standard_normal(4000).astype(np.float32).clip(-3, 3)
    gains_db = [
        20 * np.log10(np.abs(change_gain(samples, rng(seed))).max() / np.abs(samples).max()) for seed in range(200)
    ]
    assert -7 <= min(gains_db) < -6
    assert 6 < max(gains_db) <= 7.001
    loud = np.asarray([0.9, -0.5], np.float32)
    assert max(np.abs(change_gain(loud, rng(seed))).max() for seed in range(50)) == pytest.approx(1.0)
    beyond = np.asarray([1.2, -0.5], np.float32)
    assert max(np.abs(change_gain(beyond, rng(seed))).max() for seed in range(50)) == pytest.approx(1.2)


def test_that_noise_lies_as_far_below_the_sound_as_told() -> None:
    samples = np.sin(np.arange(32_000) / 10).astype(np.float32)
    for seed in range(20):
        noise = add_noise(samples, rng(seed), least_snr_db=20, most_snr_db=30) - samples
        snr_db = 10 * np.log10(np.square(samples).mean() / np.square(noise).mean())
        assert 19.9 <= snr_db <= 30.1


@pytest.mark.parametrize("samples", [np.zeros(100, np.float32), np.zeros(0, np.float32)])
def test_that_silence_stays_silence(samples: np.ndarray) -> None:
    assert np.array_equal(add_noise(samples, rng()), samples)
    assert np.array_equal(change_gain(samples, rng()), samples)


CAPTION = "A loud dog barks, then water drips while no birds chirp."
EVERYTHING = TextAugmentation(probability=1, drop=0.3, swap=0.3, insert=0.2, replace=0.5)


def test_that_relations_and_denials_survive_every_change() -> None:
    for seed in range(200):
        changed = change_caption(CAPTION, rng(seed), EVERYTHING)
        words = [word.strip(",.") for word in changed.split()]
        assert [word for word in words if word in ("then", "while", "no")] == ["then", "while", "no"]
    related = take_apart(change_caption("dogs bark before birds chirp", rng(1), EVERYTHING))
    assert related is not None
    assert related.words == "before"


def test_that_each_change_does_what_it_says() -> None:
    def only(seed: int, **shares: float) -> list[str]:
        off = {"drop": 0.0, "swap": 0.0, "insert": 0.0, "replace": 0.0}
        return change_caption(CAPTION, rng(seed), TextAugmentation(probability=1, **(off | shares))).split()

    original = CAPTION.split()
    assert only(0) == original
    assert {len(only(seed, drop=0.3)) for seed in range(50)} > {len(original) - 1, len(original) - 2}
    assert all(set(only(seed, drop=0.3)) <= set(original) for seed in range(50))
    assert all(sorted(only(seed, swap=0.5)) == sorted(original) for seed in range(50))
    assert any(only(seed, swap=0.5) != original for seed in range(50))
    assert all(len(only(seed, replace=1.0)) == len(original) for seed in range(50))
    assert only(0, replace=1.0)[3] in {f"{word}," for word in SYNONYMS["barks"]}
    assert len(only(0, insert=1.0)) > len(original)


def test_that_a_caption_is_never_lost() -> None:
    hard = TextAugmentation(probability=1, drop=0.99, replace=0)
    assert all(change_caption("Rain", rng(seed), hard) == "Rain" for seed in range(50))
    assert change_caption("", rng(), hard) == ""


def test_that_some_captions_stay_and_the_same_state_gives_the_same() -> None:
    half = TextAugmentation(probability=0.5, drop=0.3)
    results = [change_caption(CAPTION, rng(seed), half) for seed in range(400)]
    assert results == [change_caption(CAPTION, rng(seed), half) for seed in range(400)]
    assert 0.4 < np.mean([result == CAPTION for result in results]) < 0.6


def test_that_synonyms_are_mutual_and_never_the_word_itself() -> None:
    for word, others in SYNONYMS.items():
        assert word not in others
        assert all(word in SYNONYMS[other] for other in others)
