from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from dataset_layout import full_disk, write_sound

from core.errors import UnusableFileError
from core.types import FloatArray
from training.captioning.relation import take_apart
from training.data.dataset import Clip, DataError
from training.data.layout import load_dataset
from training.data.mixture import MixtureSettings, Relation, Scene, plan_scenes, relation_words, render, write_scenes
from training.data.storage import StorageError

RATE_HZ = 32_000
ALL = MixtureSettings(relations=tuple(Relation), captions=5)
TONES_HZ = {"low": 300.0, "high": 3000.0}


def clip(name: str, *, split: str = "train", group: str = "", category: str = "", caption: str = "") -> Clip:
    return Clip(
        name, Path(f"{name}.wav"), (caption or f"A {name} sounds.",), split, group=group or name, category=category
    )


def tone(path: Path, duration_s: float = 2.0) -> FloatArray:
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * TONES_HZ[path.stem] * time_s)).astype(np.float32)


def scene(relation: Relation, seed: int = 3) -> Scene:
    return Scene("s", clip("low"), clip("high"), relation, ("x",), ("y",), seed)


def band_level(samples: FloatArray, frequency_hz: float) -> float:
    """Amplitude near a frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) * 4 / len(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    return float(spectrum[np.abs(frequencies - frequency_hz) < 30].max())


def test_that_then_lets_one_end_before_the_other_begins() -> None:
    samples = render(scene(Relation.THEN), read=tone)
    half_s = 1.9
    begin, end = samples[: round(half_s * RATE_HZ)], samples[-round(half_s * RATE_HZ) :]
    assert band_level(begin, 300) > 100 * band_level(begin, 3000)
    assert band_level(end, 3000) > 100 * band_level(end, 300)
    assert 4.05 <= len(samples) / RATE_HZ <= 4.5


def test_that_long_sounds_leave_room_for_each_other() -> None:
    samples = render(scene(Relation.THEN), read=lambda path: tone(path, 20.0))
    assert len(samples) == 10 * RATE_HZ
    assert band_level(samples[: 4 * RATE_HZ], 300) > 0.05
    assert band_level(samples[-4 * RATE_HZ :], 3000) > 0.05


@pytest.mark.parametrize(
    ("relation", "least_db", "most_db"),
    [(Relation.WHILE, -1, 1), (Relation.OVER, 11, 19), (Relation.NEAR, 11, 26)],
)
def test_that_both_sound_at_once_at_the_levels_the_caption_says(
    relation: Relation, least_db: float, most_db: float
) -> None:
    for seed in range(5):
        samples = render(scene(relation, seed), read=tone)
        middle = samples[RATE_HZ // 2 : -RATE_HZ // 2]
        difference_db = 20 * np.log10(band_level(middle, 300) / band_level(middle, 3000))
        assert least_db <= difference_db <= most_db


def test_that_the_shorter_sound_lies_within_the_longer_one() -> None:
    def read(path: Path) -> FloatArray:
        return tone(path, 0.5 if path.stem == "high" else 3.0)

    samples = render(scene(Relation.WHILE), read=read)
    assert len(samples) == 3 * RATE_HZ
    assert band_level(samples, 300) > 0.05


def test_that_far_sounds_are_duller_than_near_ones() -> None:
    def read(path: Path) -> FloatArray:
        noise = np.random.default_rng(5).standard_normal(2 * RATE_HZ).astype(np.float32)
        return 0.1 * noise if path.stem == "high" else tone(path)

    def treble(relation: Relation) -> float:
        spectrum = np.abs(np.fft.rfft(render(scene(relation), read=read)))
        frequencies = np.fft.rfftfreq(2 * (len(spectrum) - 1), 1 / RATE_HZ)
        return float(spectrum[frequencies > 8000].mean() / spectrum[(frequencies > 600) & (frequencies < 2000)].mean())

    assert treble(Relation.NEAR) < 0.4 * treble(Relation.OVER)


def test_that_silence_around_a_sound_is_not_part_of_a_scene() -> None:
    def read(path: Path) -> FloatArray:
        return np.concatenate([np.zeros(RATE_HZ, np.float32), tone(path, 1.0), np.zeros(2 * RATE_HZ, np.float32)])

    assert len(render(scene(Relation.WHILE), read=read)) <= 1.1 * RATE_HZ


def test_that_levels_of_files_do_not_matter_and_nothing_clips() -> None:
    def read(path: Path) -> FloatArray:
        return tone(path) * (1.9 if path.stem == "low" else 0.001)

    samples = render(scene(Relation.WHILE), read=read)
    assert np.abs(samples).max() <= 0.98
    assert 20 * np.log10(band_level(samples, 300) / band_level(samples, 3000)) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("samples", [np.zeros(RATE_HZ), np.ones(20), np.zeros(0)])
def test_that_a_sound_with_nothing_to_hear_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(UnusableFileError, match="to hear in low"):
        render(scene(Relation.THEN), read=lambda _: samples.astype(np.float32))


def test_that_captions_say_the_relation_and_contrasts_deny_it() -> None:
    clips = [clip("dog", caption="A dog barks."), clip("rain", caption="Rain falls"), clip("TV", caption="TV noise!")]
    scenes = plan_scenes(clips, count=40, seed=0, settings=ALL)
    assert {one.relation for one in scenes} == set(Relation)
    told = {text for one in scenes for text in one.captions}
    assert "A dog barks, then rain falls" in told
    assert "Rain falls after a dog barks" in told
    assert "A dog barks at the same time as TV noise" in told
    assert "Rain falls nearby while TV noise in the distance" in told
    for one in scenes:
        for true, false in zip(one.captions, one.contrasts, strict=True):
            words, other = sorted(true.lower().replace(",", "").split()), sorted(false.lower().replace(",", "").split())
            assert true != false
            assert [w for w in words if w not in relation_words()] == [w for w in other if w not in relation_words()]


def test_that_order_captions_can_be_taken_apart_by_the_perturbation_tests() -> None:
    scenes = plan_scenes([clip("dog"), clip("rain")], count=20, seed=0, settings=MixtureSettings(captions=4))
    for one in scenes:
        related = [take_apart(text) for text in one.captions if " at the same " not in text]
        assert all(found is not None for found in related)
        expected = "sequence" if one.relation is Relation.THEN else "superposition"
        assert {found.relation for found in related if found} <= {expected}


def test_that_a_plan_depends_on_its_seed_alone() -> None:
    clips = [clip(f"c{number}") for number in range(10)]
    assert plan_scenes(clips, count=12, seed=4) == plan_scenes(clips, count=12, seed=4)
    assert plan_scenes(clips, count=12, seed=4)[:5] == plan_scenes(clips, count=5, seed=4)
    assert plan_scenes(clips, count=12, seed=4) != plan_scenes(clips, count=12, seed=5)


def test_that_splits_and_groups_and_kinds_are_kept_apart() -> None:
    clips = [
        clip(f"{split}{number}", split=split, group=f"{split}{number // 2}", category=f"k{number % 5}")
        for split in ("train", "test")
        for number in range(20)
    ]
    scenes = plan_scenes(clips, count=100, seed=1)
    assert {one.first.split for one in scenes} == {"train", "test"}
    for one in scenes:
        assert one.first.split == one.second.split
        assert one.first.group != one.second.group
        assert one.first.category != one.second.category
    groups = {
        split: {c.group for one in scenes for c in (one.first, one.second) if c.split == split}
        for split in ("train", "test")
    }
    assert not groups["train"] & groups["test"]


def test_that_clips_of_one_sound_make_no_scene() -> None:
    with pytest.raises(DataError, match="different groups"):
        plan_scenes([clip("a", group="g"), clip("b", group="g")], count=1, seed=0)


def files(folder: Path) -> list[Clip]:
    clips = []
    for number in range(4):
        path = write_sound(folder / f"{number}.wav", seed=number, level=0.0 if number == 3 else 0.3)
        clips.append(Clip(str(number), path, (f"sound {number}",), "train", licence="CC0", group=str(number)))
    return clips


def test_that_written_scenes_are_a_data_set_and_bad_sounds_are_counted(tmp_path: Path) -> None:
    scenes = plan_scenes(files(tmp_path), count=30, seed=0, settings=ALL)
    made = write_scenes(scenes, tmp_path / "out", ALL)
    silent = [one.id for one in scenes if "3" in (one.first.id, one.second.id)]
    assert silent
    assert [one.id for one in made.omissions] == silent
    again = load_dataset(tmp_path / "out")
    assert [c.captions for c in again.clips] == [one.captions for one in scenes if one.id not in silent]
    assert again.clips[0].group == scenes[0].group
    assert again.clips[0].licence == "CC0"
    samples, rate = soundfile.read(again.clips[0].path, dtype="float32")
    assert (rate, len(samples) / rate) == (RATE_HZ, pytest.approx(again.clips[0].duration_s, abs=1e-4))


def test_that_a_stopped_writing_goes_on_and_computes_nothing_twice(tmp_path: Path) -> None:
    scenes = plan_scenes(files(tmp_path)[:3], count=6, seed=0)

    def stopped(path: Path) -> FloatArray:
        stopped.left -= 1
        if stopped.left < 0:
            raise KeyboardInterrupt
        return write_sound_samples(path)

    def write_sound_samples(path: Path) -> FloatArray:
        return soundfile.read(path, dtype="float32")[0]

    stopped.left = 7
    with pytest.raises(KeyboardInterrupt):
        write_scenes(scenes, tmp_path / "out", read=stopped)
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "audio").iterdir()}
    assert len(first) == 3
    made = write_scenes(scenes, tmp_path / "out", read=write_sound_samples)
    assert len(made.clips) == 6
    assert all(path.stat().st_mtime_ns == time for path, time in first.items())


def test_that_a_full_disk_is_told_and_keeps_what_is_done(tmp_path: Path) -> None:
    clips = files(tmp_path)[:3]
    write_scenes(plan_scenes(clips, count=2, seed=0), tmp_path / "out")
    done = sorted((tmp_path / "out" / "audio").iterdir())
    with full_disk(after_bytes=5000), pytest.raises(StorageError, match="no space left"):
        write_scenes(plan_scenes(clips, count=2, seed=9), tmp_path / "out")
    assert sorted((tmp_path / "out" / "audio").iterdir()) == done
