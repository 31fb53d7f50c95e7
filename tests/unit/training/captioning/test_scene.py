from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.captioning.scene import Scene, compose, draw_scenes, scene_captions
from training.data.dataset import Clip

RATE_HZ = 8000


def clip(number: int, category: str, duration_s: float = 1.0) -> Clip:
    return Clip(
        id=str(number),
        path=Path(f"{number}.wav"),
        captions=(f"Sound {number}", f"Noise {number}"),
        split="train",
        duration_s=duration_s,
        category=category,
    )


CLIPS = [clip(0, "dogs"), clip(1, "rain"), clip(2, "rain"), clip(3, "doors", duration_s=0.1)]


def tone(frequency_hz: float, duration_s: float = 1.0, level: float = 0.5) -> np.ndarray:
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (level * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def power_at(samples: np.ndarray, frequency_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    place = round(frequency_hz * len(samples) / RATE_HZ)
    return float(spectrum[max(0, place - 3) : place + 4].sum())


def test_that_scenes_pair_kinds_and_come_in_both_orders() -> None:
    scenes = draw_scenes(CLIPS, range(4), count=20, superposed=0.5, rng=np.random.default_rng(0))
    assert len(scenes) == 20
    for scene, mirrored in zip(scenes[::2], scenes[1::2], strict=True):
        assert (scene.first, scene.second, scene.relation) == (mirrored.second, mirrored.first, mirrored.relation)
        assert CLIPS[scene.first].category != CLIPS[scene.second].category
        assert 3 not in (scene.first, scene.second)  # Too short to be heard in a scene.
    assert {scene.relation for scene in scenes} == {"sequence", "superposition"}


def test_that_scenes_follow_from_the_seed() -> None:
    drawn = [draw_scenes(CLIPS, range(3), count=6, superposed=0.4, rng=np.random.default_rng(3)) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_that_clips_of_one_kind_make_no_scene() -> None:
    with pytest.raises(ValueError, match="different categories"):
        draw_scenes(CLIPS, [1, 2], count=2, superposed=0.0, rng=np.random.default_rng(0))


def test_that_a_sequence_has_the_first_sound_first() -> None:
    sound = compose(tone(500), tone(2000), Scene(0, 1, "sequence", 7), sample_rate_hz=RATE_HZ)
    assert 2.05 <= len(sound) / RATE_HZ <= 2.5
    begin, end = sound[: RATE_HZ // 2], sound[-RATE_HZ // 2 :]
    assert power_at(begin, 500) > 100 * power_at(begin, 2000)
    assert power_at(end, 2000) > 100 * power_at(end, 500)


def test_that_a_superposition_has_the_first_sound_in_front() -> None:
    for seed in range(5):
        scene = Scene(0, 1, "superposition", seed)
        # How loud the clips were recorded does not matter.
        sound = compose(tone(500, level=0.01), tone(2000, 0.3), scene, sample_rate_hz=RATE_HZ)
        assert len(sound) == RATE_HZ
        assert power_at(sound, 500) > 2 * power_at(sound, 2000)
        assert power_at(sound[-RATE_HZ // 4 :], 2000) > 0  # The short one is heard again.


def test_that_a_scene_is_the_same_each_time_and_below_full_scale() -> None:
    scene = Scene(0, 1, "superposition", 5)
    ones = np.ones(9 * RATE_HZ, dtype=np.float32)
    sounds = [compose(ones, tone(300), scene, sample_rate_hz=RATE_HZ) for _ in range(2)]
    assert np.array_equal(sounds[0], sounds[1])
    assert len(sounds[0]) <= 10 * RATE_HZ
    assert np.abs(sounds[0]).max() <= 0.981
    other = compose(ones, tone(300), replace(scene, seed=6), sample_rate_hz=RATE_HZ)
    assert not np.array_equal(sounds[0], other[: len(sounds[0])])


def test_that_the_clips_themselves_stay_as_they_are() -> None:
    first = tone(500)
    before = first.copy()
    compose(first, tone(2000), Scene(0, 1, "sequence", 7), sample_rate_hz=RATE_HZ)
    assert np.array_equal(first, before)


def test_that_a_silent_clip_makes_a_scene_too() -> None:
    sound = compose(np.zeros(RATE_HZ, dtype=np.float32), tone(2000), Scene(0, 1, "sequence", 7), sample_rate_hz=RATE_HZ)
    assert np.isfinite(sound).all()


def test_that_every_pair_of_captions_tells_the_scene() -> None:
    told = scene_captions(Scene(0, 1, "sequence", 0), CLIPS, "after")
    assert told[0] == "sound 1 after sound 0"
    assert len(told) == 4


def test_that_the_front_is_as_much_louder_as_is_wanted() -> None:
    for seed in range(5):
        scene = Scene(0, 1, "superposition", seed, front_db=(20.0, 20.0))
        sound = compose(tone(500), tone(2000), scene, sample_rate_hz=RATE_HZ)
        lead_db = 10 * np.log10(power_at(sound, 500) / power_at(sound, 2000))
        assert lead_db == pytest.approx(20.0, abs=0.5)


def test_that_what_is_far_away_is_dull_and_no_louder() -> None:
    rng = np.random.default_rng(0)
    hiss = rng.normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)
    near, far = (
        compose(tone(100, 2.0), hiss, Scene(0, 1, "superposition", 4, (6.0, 6.0), far), sample_rate_hz=RATE_HZ)
        for far in (False, True)
    )
    treble = [float(np.square(np.abs(np.fft.rfft(sound[: 2 * RATE_HZ]))[6500:]).sum()) for sound in (near, far)]
    assert treble[1] < 0.85 * treble[0]
    assert np.abs(far).max() <= 0.981


def test_that_some_backgrounds_are_far_away_and_the_other_draws_stay() -> None:
    plain, far = (
        draw_scenes(CLIPS, range(3), count=40, superposed=1.0, rng=np.random.default_rng(1), far=share)
        for share in (0.0, 1.0)
    )
    assert not any(scene.far for scene in plain)
    assert all(scene.far for scene in far)
    assert plain[0].seed == far[0].seed
