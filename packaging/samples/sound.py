"""What the library consists of: the entries of `sounds/*.yaml`, and how one of them is rendered."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field
from synthesis import Setting, Signal, Studio, unit

CATALOGUE = Path(__file__).resolve().parent / "sounds"
EDGE_S = 0.006
EVENT_EDGE_S = 0.03
EVENT_FLOOR_DB = 65.0  # the scene has a floor of its own

Recipe = Callable[..., Signal]


class Entry(BaseModel):
    """Common to what is written in the catalogue: nothing unknown is accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(Entry):
    """The fields of `synthesis.Setting`."""

    reverb_s: float = Field(0.4, ge=0, le=6)
    wet: float = Field(0.1, ge=0, le=2)
    bright_hz: float = Field(5000, ge=300, le=20000)
    floor_db: float = Field(50, ge=15, le=90)
    floor_tilt_db: float = Field(-4, ge=-12, le=6)
    top_hz: float = Field(18000, ge=1000, le=20000)

    def setting(self) -> Setting:
        """As the synthesis takes it."""
        return Setting(**self.model_dump())


class Part(Entry):
    """Something that a recipe makes: `recipe` is module.function, `options` its keyword arguments."""

    recipe: str
    options: dict[str, Any] = {}

    def make(self, studio: Studio) -> Signal:
        """Run the recipe, (n,) of any level."""
        module, _, function = self.recipe.partition(".")
        recipe: Recipe = getattr(importlib.import_module(module), function)
        return recipe(studio, **self.options)


class Event(Entry):
    """A sound of the library inside a scene.

    Attributes:
        sound: Path of the entry that happens.
        at_s: When it begins.
        level_db: Its peak beside the scene's full scale.
        description: What a person would say of it.
    """

    sound: str
    at_s: float = Field(ge=0)
    level_db: float = Field(-3.0, le=0)
    description: str


class Sound(Part):
    """One file.

    Attributes:
        path: Below the library's folder; the suffix says the format.
        kind: What it is, in a word or two; takes of one kind share it.
        descriptions: Plain sentences that are true of it; the first is the one that finds it.
        place: Where it is heard.
        seed: Of the generator of chance.
        rate_hz: Sample rate of the file.
        channels: 1, or 2 for a room on both sides.
        peak_db: Level of the highest sample below full scale.
        level_db: In a scene, the level of the bed.
        events: In a scene, what happens above the bed.
    """

    path: str
    kind: str
    descriptions: tuple[str, ...] = Field(min_length=1)
    place: Place = Place()
    seed: int
    rate_hz: int = 44100
    channels: int = Field(1, ge=1, le=2)
    peak_db: float = Field(-1.5, ge=-3, le=-1)
    level_db: float = Field(-3.0, le=0)
    events: tuple[Event, ...] = ()


def read_catalogue(folder: Path = CATALOGUE) -> list[Sound]:
    """All sounds, in the order of the files and of their lines.

    Raises:
        ValueError: Two entries have one path, or a scene names a sound that is not there.
    """
    sounds: list[Sound] = []
    for path in sorted(folder.glob("*.yaml")):
        sounds += [Sound.model_validate(entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]
    paths = [sound.path for sound in sounds]
    if len(set(paths)) < len(paths):
        raise ValueError("two entries of the catalogue have the same path")
    missing = {event.sound for sound in sounds for event in sound.events} - set(paths)
    if missing:
        raise ValueError(f"scenes name sounds that are not in the catalogue: {', '.join(sorted(missing))}")
    return sounds


def _scaled(sound: Signal, level_db: float) -> Signal:
    return unit(sound) * 10 ** (level_db / 20)


def _heard(sound: Sound, rate_hz: int, channels: int, *, floor_db: float | None = None) -> Signal:
    """(n, channels): one dry sound; each side has a room and a noise of its own."""
    dry = unit(sound.make(Studio(rate_hz, np.random.default_rng(sound.seed))))
    setting = sound.place.setting()
    if floor_db is not None:
        setting = replace(setting, floor_db=floor_db)
    sides = [setting.hear(Studio(rate_hz, np.random.default_rng([sound.seed, k])), dry) for k in range(channels)]
    return np.stack(sides, axis=1)


def _with_edges(sound: Signal, rate_hz: int, edge_s: float) -> Signal:
    """Faded in and out, so that neither end clicks."""
    n = min(len(sound) // 4, max(1, round(edge_s * rate_hz)))
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(n) / n)
    out = sound.copy()
    out[:n] *= ramp[:, None]
    out[-n:] *= ramp[::-1, None]
    return out


def render(sound: Sound, library: Mapping[str, Sound]) -> tuple[Signal, list[dict[str, Any]]]:
    """Make one file's samples.

    Args:
        sound: What to make.
        library: Entries by path, for the events of scenes.

    Returns:
        (n, channels) within full scale, and for a scene its events as start_s, end_s, description.
    """
    heard = _heard(sound, sound.rate_hz, sound.channels)
    spans: list[dict[str, Any]] = []
    if sound.events:
        heard = _scaled(heard, sound.level_db)
    for event in sound.events:
        piece = _heard(library[event.sound], sound.rate_hz, sound.channels, floor_db=EVENT_FLOOR_DB)
        piece = _with_edges(_scaled(piece, event.level_db), sound.rate_hz, EVENT_EDGE_S)
        start = round(event.at_s * sound.rate_hz)
        piece = piece[: len(heard) - start]
        heard[start : start + len(piece)] += piece
        end_s = round(event.at_s + len(piece) / sound.rate_hz, 2)
        spans.append({"start_s": round(event.at_s, 2), "end_s": end_s, "description": event.description})
    heard = _with_edges(heard - heard.mean(axis=0), sound.rate_hz, EDGE_S)
    return _scaled(heard, sound.peak_db), spans
