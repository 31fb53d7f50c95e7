"""Scenes of two sounds that are made from labelled clips, with captions that say how the two lie to each other.

"A, then b" and "a while b", one loud over the other soft, one near and the other far. Each caption comes with its
contrast: the same words with the relation turned round or replaced, which is false of the scene. So a scene teaches
order, and measures whether a model hears it (the question behind the Replace and Invert tests of Labbe et al. 2023,
section 4.3; there only texts are changed, here the sound is known by construction).

The plan is made without touching a file and is the same for the same clips, settings and seed; rendering depends on
the plan alone. A scene belongs to the split of its clips, and both come from different groups and kinds.

>>> scenes = plan_scenes(dataset.split("train"), count=500, seed=1)
>>> samples = render(scenes[0], read_mono)          # or write_scenes(scenes, folder) for files and a manifest

Shape legend: n samples.
"""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile
from pydantic import BaseModel, ConfigDict, Field

from core.audio.mono import read_mono
from core.errors import UnusableFileError
from core.types import FloatArray
from training.data.dataset import Clip, DataError, Dataset, Omission, write_manifest
from training.data.manifest import MANIFEST_FILE
from training.data.storage import replace_file

_ACTIVE_DB = -45.0  # below the loudest frame
_FRAME_S = 0.02
_LEAST_S = 0.05
_SILENCE = 1e-4
_LEVEL = 0.1
_PEAK = 0.98
_TRIES = 200
_UNUSABLE = "cannot be heard"
_logger = logging.getLogger(__name__)


class Relation(StrEnum):
    """How two sounds lie to each other.

    Attributes:
        THEN: The second begins after the first has ended.
        WHILE: Both at once, equally loud.
        OVER: Both at once, the first loud, the second soft.
        NEAR: Both at once, the first near and dry, the second far: softer, duller, with echoes.
    """

    THEN = "then"
    WHILE = "while"
    OVER = "over"
    NEAR = "near"


# Wordings as (true, false) of the sounds {a} and {b}. The false one of THEN and of the two with a difference of level
# swaps the sounds (Invert); that of WHILE, where a swap would change nothing, tells an order (Replace).
_WORDINGS: dict[Relation, tuple[tuple[str, str], ...]] = {
    Relation.THEN: (
        ("{a}, then {b}", "{b}, then {a}"),
        ("{a} followed by {b}", "{b} followed by {a}"),
        ("{a} before {b}", "{a} after {b}"),
        ("{b} after {a}", "{b} before {a}"),
        ("First {a}, and then {b}", "First {b}, and then {a}"),
    ),
    Relation.WHILE: (
        ("{a} while {b}", "{a} before {b}"),
        ("{a} as {b}", "{a}, then {b}"),
        ("{a} at the same time as {b}", "{a} followed by {b}"),
    ),
    Relation.OVER: (
        ("{a} loudly over a quiet background of {b}", "{b} loudly over a quiet background of {a}"),
        (
            "{a} in the foreground while {b} softly in the background",
            "{b} in the foreground while {a} softly in the background",
        ),
    ),
    Relation.NEAR: (
        ("{a} nearby while {b} in the distance", "{b} nearby while {a} in the distance"),
        ("{a} up close with {b} far away", "{b} up close with {a} far away"),
    ),
}


class MixtureSettings(BaseModel):
    """How scenes are made.

    Attributes:
        relations: Which, in equal shares.
        sample_rate_hz: Of the scenes.
        longest_s: Of a scene.
        gap_s: Silence between the two of "then", from and to.
        softer_db: How much softer the background of "over" is, from and to.
        farther_db: The same for the far one of "near".
        captions: Wordings for a scene.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    relations: tuple[Relation, ...] = Field(default=(Relation.THEN, Relation.WHILE), min_length=1)
    sample_rate_hz: int = Field(default=32_000, ge=8_000, le=96_000)
    longest_s: float = Field(default=10.0, gt=0.5, le=60)
    gap_s: tuple[float, float] = (0.05, 0.5)
    softer_db: tuple[float, float] = (12.0, 18.0)
    farther_db: tuple[float, float] = (12.0, 20.0)
    captions: int = Field(default=2, ge=1, le=5)


@dataclass(frozen=True, slots=True)
class Scene:
    """The plan of one scene.

    Attributes:
        id: Unique in its plan.
        first: The earlier, louder or nearer sound.
        second: The other.
        relation: How they lie to each other.
        captions: Sentences that are true of it.
        contrasts: For each caption one that is false, made of the same words but the relation.
        seed: All chance in rendering comes from it.
    """

    id: str
    first: Clip
    second: Clip
    relation: Relation
    captions: tuple[str, ...]
    contrasts: tuple[str, ...]
    seed: int

    @property
    def group(self) -> str:
        """Both origins; no scene of another split has either of them."""
        return f"{self.first.group} + {self.second.group}"


def plan_scenes(
    clips: Sequence[Clip], *, count: int, seed: int, settings: MixtureSettings | None = None
) -> tuple[Scene, ...]:
    """Choose pairs of clips and words for them.

    Args:
        clips: Of one split or of several; a scene takes both of its sounds from one.
        count: Scenes of each split that is among the clips.
        seed: The same seed gives the same scenes.
        settings: None: the defaults.

    Raises:
        DataError: A split has no two clips of different groups and kinds.
    """
    chosen = settings or MixtureSettings()
    return tuple(
        _plan_one(split, own, number, seed, chosen)
        for split in sorted({clip.split for clip in clips})
        for own in [[clip for clip in clips if clip.split == split]]
        for number in range(count)
    )


def _plan_one(split: str, clips: Sequence[Clip], number: int, seed: int, settings: MixtureSettings) -> Scene:
    rng = np.random.default_rng([seed, zlib.crc32(split.encode()), number])
    relation = settings.relations[number % len(settings.relations)]
    for _ in range(_TRIES):
        first, second = (clips[int(row)] for row in rng.integers(len(clips), size=2))
        if _are_apart(first, second):
            break
    else:
        raise DataError(
            f"No two clips of the split {split} are of different groups and kinds.", "Scenes need a more mixed set."
        )
    a, b = (clip.captions[int(rng.integers(len(clip.captions)))] for clip in (first, second))
    wordings = _WORDINGS[relation]
    picked = rng.permutation(len(wordings))[: settings.captions]
    true, false = zip(*(tuple(_say(text, a, b) for text in wordings[int(row)]) for row in picked), strict=True)
    scene_id = f"{split}-{relation.value}-{number:05d}"
    return Scene(scene_id, first, second, relation, true, false, int(rng.integers(2**31)))


def _are_apart(first: Clip, second: Clip) -> bool:
    if first.group == second.group or (first.category and first.category == second.category):
        return False
    return not set(first.captions) & set(second.captions)


def _say(wording: str, a: str, b: str) -> str:
    text = wording.format(a=_inner(a), b=_inner(b))
    return text[0].upper() + text[1:]


def _inner(caption: str) -> str:
    """A caption as part of a sentence: no full stop, a small letter unless the word is a name or an acronym."""
    text = caption.strip().rstrip(".!;, ")
    word = text.split(" ", 1)[0]
    keeps = (len(word) > 1 and not word[1:].islower()) or word == "I"
    return text if keeps else text[:1].lower() + text[1:]


Read = Callable[[Path], FloatArray]


def render(scene: Scene, settings: MixtureSettings | None = None, *, read: Read | None = None) -> FloatArray:
    """The sound of a scene.

    Args:
        scene: The plan.
        settings: Those it was planned with; None: the defaults.
        read: Gives a file's samples (n,) at the scenes' rate; None: decoded and resampled here.

    Returns:
        (n,) float32, at most `longest_s` long, peak below full scale.

    Raises:
        UnusableFileError: One of the files cannot be read, or there is nothing to hear in it.
    """
    chosen = settings or MixtureSettings()
    rate = chosen.sample_rate_hz
    rng = np.random.default_rng(scene.seed)
    whole = read or (lambda path: read_mono(path, sample_rate_hz=rate))
    longest = round(chosen.longest_s * rate)
    parts = [_heard(whole(clip.path), rate, clip) for clip in (scene.first, scene.second)]
    if scene.relation is Relation.THEN:
        mixed = _one_after_the_other(*parts, longest=longest, gap=round(rng.uniform(*chosen.gap_s) * rate), rate=rate)
    else:
        if scene.relation is Relation.OVER:
            parts[1] = parts[1] * _gain(-rng.uniform(*chosen.softer_db))
        elif scene.relation is Relation.NEAR:
            parts[1] = from_afar(parts[1], rate, rng) * _gain(-rng.uniform(*chosen.farther_db))
        mixed = _at_once(*parts, longest=longest, rng=rng, rate=rate)
    peak = float(np.abs(mixed).max())
    return np.asarray(mixed * min(1.0, _PEAK / max(peak, 1e-9)), dtype=np.float32)


def _gain(level_db: float) -> float:
    return float(10 ** (level_db / 20))


def _heard(samples: FloatArray, rate: int, clip: Clip) -> FloatArray:
    """A clip without the silence around it, at a common level of what sounds (n,)."""
    frame = max(1, round(_FRAME_S * rate))
    count = len(samples) // frame
    powers = np.square(samples[: count * frame].reshape(count, frame)).mean(axis=1) if count else np.zeros(0)
    loudest = float(powers.max(initial=0.0))
    active = np.flatnonzero(powers >= loudest * 10 ** (_ACTIVE_DB / 10))
    if loudest < _SILENCE**2 or not len(active):
        raise UnusableFileError(f"There is nothing to hear in {clip.path.name}.")
    kept = samples[active[0] * frame : (active[-1] + 1) * frame]
    level = float(np.sqrt(powers[active].mean()))
    if len(kept) < _LEAST_S * rate:
        raise UnusableFileError(f"There is less than {_LEAST_S} s to hear in {clip.path.name}.")
    return np.asarray(kept * (_LEVEL / level), dtype=np.float32)


def _cut(samples: FloatArray, length: int, rate: int) -> FloatArray:
    """The beginning, with edges that do not click."""
    part = samples[:length].copy()
    fade = min(round(0.01 * rate), len(part) // 4)
    if fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        part[:fade] *= ramp
        part[-fade:] *= ramp[::-1]
    return part


def _one_after_the_other(first: FloatArray, second: FloatArray, *, longest: int, gap: int, rate: int) -> FloatArray:
    """Both in full where there is room; else the longer one gives way, down to half."""
    room = longest - gap
    half = room // 2
    first_length = min(len(first), max(half, room - len(second)))
    second_length = min(len(second), room - first_length)
    silence = np.zeros(gap, dtype=np.float32)
    return np.concatenate([_cut(first, first_length, rate), silence, _cut(second, second_length, rate)])


def _at_once(first: FloatArray, second: FloatArray, *, longest: int, rng: np.random.Generator, rate: int) -> FloatArray:
    """The shorter one somewhere within the longer one."""
    first, second = _cut(first, longest, rate), _cut(second, longest, rate)
    mixed = np.zeros(max(len(first), len(second)), dtype=np.float32)
    for part in (first, second):
        start = int(rng.integers(len(mixed) - len(part) + 1))
        mixed[start : start + len(part)] += part
    return mixed


def from_afar(samples: FloatArray, rate: int, rng: np.random.Generator) -> FloatArray:
    """As heard from far away: air takes the treble, and the room answers for half a second.

    Args:
        samples: (n,).
        rate: Samples per second.
        rng: The room.

    Returns:
        (n + half a second,) float32, no softer than before.
    """
    tail_s = 0.5
    time_s = np.arange(round(tail_s * rate)) / rate
    response = 0.3 * rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / tail_s)
    response[0] = 1.0
    size = len(samples) + len(response) - 1
    frequencies_hz = np.fft.rfftfreq(size, 1 / rate)
    air = 1 / np.sqrt(1 + (frequencies_hz / 2500.0) ** 2)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size) * air, size)
    level = float(np.sqrt(np.square(wet[: len(samples)]).mean()))
    return np.asarray(wet * (float(np.sqrt(np.square(samples).mean())) / max(level, 1e-9)), dtype=np.float32)


def scene_clip(scene: Scene, path: Path, *, duration_s: float) -> Clip:
    """A rendered scene as a clip of a data set."""
    licences = dict.fromkeys(clip.licence for clip in (scene.first, scene.second))
    families = dict.fromkeys(clip.licence_family for clip in (scene.first, scene.second))
    return Clip(
        id=scene.id,
        path=path,
        captions=scene.captions,
        split=scene.first.split,
        duration_s=duration_s,
        source="mixture",
        licence=" + ".join(licences),
        licence_family=" + ".join(families),
        category=scene.relation.value,
        group=scene.group,
        title=f"{scene.first.title} {scene.relation.value} {scene.second.title}",
        tags=(scene.first.id, scene.second.id),
    )


def write_scenes(
    scenes: Iterable[Scene], folder: Path, settings: MixtureSettings | None = None, *, read: Read | None = None
) -> Dataset:
    """Render scenes to FLAC files with a manifest; a stopped run goes on where it was.

    A scene with a sound that cannot be used is left out and counted.

    Raises:
        StorageError: There is no space; the finished files are kept.
        DataError: Not one scene could be made.
    """
    chosen = settings or MixtureSettings()
    clips: list[Clip] = []
    omissions: list[Omission] = []
    for scene in scenes:
        key = zlib.crc32(repr((scene, chosen)).encode())
        path = folder / "audio" / f"{scene.id}-{key:08x}.flac"
        try:
            if not path.is_file():
                encoded = _flac(render(scene, chosen, read=read), chosen.sample_rate_hz)
                replace_file(path, partial(_write_bytes, encoded))
        except UnusableFileError as error:
            _logger.warning("scene %s left out: %s", scene.id, error)
            omissions.append(Omission(_UNUSABLE, scene.id, str(error)))
            continue
        clips.append(scene_clip(scene, path, duration_s=soundfile.info(path).duration))
    if not clips:
        raise DataError(
            "Not one scene could be made.", "Look at the sounds with `python -m training describe --decode`."
        )
    write_manifest(clips, folder / MANIFEST_FILE)
    return Dataset("mixtures", tuple(clips), tuple(omissions))


def _flac(samples: FloatArray, sample_rate_hz: int) -> bytes:
    """A FLAC file in memory: so that the disk's own errors come from writing bytes, and not through libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate_hz, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def relation_words() -> frozenset[str]:
    """All words that wordings are made of beside the two sounds."""
    texts = chain.from_iterable(pair for pairs in _WORDINGS.values() for pair in pairs)
    return frozenset(word.strip(",").lower() for text in texts for word in text.split() if not word.startswith("{"))
