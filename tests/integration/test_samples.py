"""The sounds that ship: what the manifest says, that they are reproducible, and that they are found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from core.audio.mono import read_mono
from core.config import RESOURCES
from core.encoders.load import load_dual_encoder
from core.encoders.windows import plan_windows

SAMPLES = RESOURCES / "samples"
GENERATOR = RESOURCES.parent / "packaging" / "samples" / "render.py"
LOSSLESS_STEP = {"PCM_16": 2.0**-15, "PCM_24": 2.0**-23}
NOT_SOUNDS = {"samples.json", "LICENSE.txt"}
RERENDERED = (
    "nature/WATRWave_Small Quick Waves_EAR_Demo.ogg",
    "animals/Owl Two Hoots.ogg",
    "animals/Tree Frog Quick Croaks.aiff",
    "house/Drinking Glass Breaks.flac",
    "house/Front Door Slam.flac",
    "house/WATRDrip_Slow Drips_EAR_Demo.ogg",
    "effects/LASRGun_Single Shot_EAR_Demo.ogg",
    "alarms/Telephone One Ring.wav",
)


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return dict(json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def sounds(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return list(manifest["sounds"])


def read(path: Path) -> tuple[np.ndarray, int]:
    samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    return samples, rate_hz


def test_that_the_manifest_lists_exactly_the_files_that_are_there(sounds: list[dict[str, Any]]) -> None:
    listed = [sound["path"] for sound in sounds]
    there = {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*") if path.is_file()}
    assert len(set(listed)) == len(listed)
    assert set(listed) == there - NOT_SOUNDS


def test_that_there_are_sixty_to_a_hundred_sounds_of_many_kinds_in_three_takes(sounds: list[dict[str, Any]]) -> None:
    kinds = Counter(sound["kind"] for sound in sounds if "events" not in sound)
    assert 60 <= len(sounds) <= 100
    assert len(kinds) >= 24
    assert min(kinds.values()) >= 3


def test_that_the_library_stays_small_and_free() -> None:
    size_bytes = sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file())
    assert size_bytes <= 7_000_000
    assert "CC0 1.0 Universal" in (SAMPLES / "LICENSE.txt").read_text(encoding="utf-8")


def test_that_the_manifest_names_the_licence(manifest: dict[str, Any]) -> None:
    assert manifest["licence"] == "CC0-1.0"


def test_that_the_library_shows_five_formats_and_themes(sounds: list[dict[str, Any]]) -> None:
    suffixes = {Path(sound["path"]).suffix for sound in sounds}
    themes = {Path(sound["path"]).parts[0] for sound in sounds}
    assert suffixes == {".ogg", ".wav", ".flac", ".mp3", ".aiff"}
    assert len(themes) >= 6
    assert all(len(Path(sound["path"]).parts) == 2 for sound in sounds)


def test_that_every_sound_decodes_to_what_the_manifest_says(sounds: list[dict[str, Any]]) -> None:
    for sound in sounds:
        samples, rate_hz = read(SAMPLES / sound["path"])
        assert rate_hz == sound["sample_rate_hz"], sound["path"]
        assert samples.shape[1] == sound["channels"], sound["path"]
        # an MP3 gains the padding of its frames
        assert len(samples) / rate_hz == pytest.approx(sound["duration_s"], abs=0.1), sound["path"]


def test_that_levels_are_healthy_and_ends_do_not_click(sounds: list[dict[str, Any]]) -> None:
    for sound in sounds:
        samples, _ = read(SAMPLES / sound["path"])
        peak_db = 20 * np.log10(np.max(np.abs(samples)))
        # lossy coding moves peaks by a little: up to half a decibel, down somewhat more for noise
        assert -4.5 <= peak_db <= -0.2, (sound["path"], peak_db)
        assert np.max(np.abs(samples[[0, -1]])) < 0.03, sound["path"]
        assert np.abs(samples.mean()) < 0.005, sound["path"]


def test_that_every_sound_is_described(sounds: list[dict[str, Any]]) -> None:
    firsts = [sound["descriptions"][0] for sound in sounds]
    assert len(set(firsts)) == len(firsts)
    assert all(len(sound["descriptions"]) >= 2 and all(sound["descriptions"]) for sound in sounds)


def test_that_scenes_are_long_and_their_events_lie_inside(sounds: list[dict[str, Any]]) -> None:
    scenes = [sound for sound in sounds if "events" in sound]
    assert len(scenes) >= 8
    for scene in scenes:
        assert scene["duration_s"] > 20, scene["path"]
        assert len(scene["events"]) >= 2, scene["path"]
        for event in scene["events"]:
            assert 0 <= event["start_s"] < event["end_s"] <= scene["duration_s"] + 0.01, scene["path"]
            assert event["description"]


def test_that_an_event_of_a_scene_is_heard_where_the_manifest_says(sounds: list[dict[str, Any]]) -> None:
    """The first event of each scene raises the level of the scene or of its upper half."""
    for scene in (sound for sound in sounds if "events" in sound):
        samples, rate_hz = read(SAMPLES / scene["path"])
        event = scene["events"][0]
        start, end = (round(event[key] * rate_hz) for key in ("start_s", "end_s"))
        assert np.max(np.abs(samples[start:end])) > np.median(np.abs(samples)) * 4, scene["path"]


def test_that_the_generator_reproduces_what_ships(tmp_path: Path) -> None:
    command = [sys.executable, str(GENERATOR), "--out", str(tmp_path), "--only", *RERENDERED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for name in RERENDERED:
        again, again_hz = read(tmp_path / name)
        shipped, shipped_hz = read(SAMPLES / name)
        assert (again.shape, again_hz) == (shipped.shape, shipped_hz), name
        difference = again - shipped
        step = LOSSLESS_STEP.get(soundfile.info(SAMPLES / name).subtype)
        if step is not None:
            assert np.max(np.abs(difference)) <= step * 1.001, name
        else:
            # another build of the encoder may choose other bits, the sound stays
            assert np.sqrt(np.mean(difference**2)) < 0.05 * np.sqrt(np.mean(shipped**2)), name


def test_that_a_sound_that_is_not_in_the_catalogue_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(GENERATOR), "--out", str(tmp_path), "--only", "no/such.ogg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no/such.ogg" in done.stderr


@pytest.mark.slow
def test_that_a_plain_description_finds_its_sound_in_the_top_three(sounds: list[dict[str, Any]]) -> None:
    """The first description of each sound, by its best window, with the encoder that ships."""
    encoder = load_dual_encoder(RESOURCES / "models" / "earshot-base", device="cpu")
    rate_hz = encoder.card.sample_rate_hz
    window, hop = (round(seconds * rate_hz) for seconds in (encoder.card.window_s, encoder.card.hop_s))
    clips, owner = [], []
    for number, sound in enumerate(sounds):
        samples = read_mono(SAMPLES / sound["path"], sample_rate_hz=rate_hz)
        for start, end in plan_windows(len(samples), window, hop):
            clips.append(samples[start:end])
            owner.append(number)
    audio = encoder.embed_audio(clips)
    text = encoder.embed_text([sound["descriptions"][0] for sound in sounds])
    scores = np.full((len(sounds), len(sounds)), -1.0)
    for column, number in enumerate(owner):
        scores[:, number] = np.maximum(scores[:, number], text @ audio[column])
    ranks = np.sum(scores > np.diag(scores)[:, None], axis=1)
    missed = [f"{sounds[i]['path']} ({ranks[i] + 1})" for i in np.flatnonzero(ranks >= 3)]
    assert np.mean(ranks < 3) >= 0.8, missed
