"""What a data set holds: counts, hours, the language of its captions, and what is wrong with its files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median, pstdev

import numpy as np

from core.audio.decode import probe
from core.audio.mono import read_mono
from core.errors import UnusableFileError
from core.types import FloatArray
from training.data.dataset import SPLITS, Clip, Dataset, groups_in_two_splits
from training.data.word import split_words
from training.metrics.lexical import mtld

_SAMPLE_RATE_HZ = 32_000
_SHORTEST_S = 0.025  # one frame of the front-ends (800 of 1024 samples at 32 kHz)
_SILENT_DB = -60.0
_FULL_SCALE = 0.9999
_CLIPPED_SHARE = 0.001
_MOST_COMMON = 20

BROKEN = "cannot be read"
SHORT = "shorter than a frame"
SILENT = "silent"
CLIPPED = "clipped"


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something wrong with a clip's file.

    Attributes:
        kind: `BROKEN`, `SHORT`, `SILENT` or `CLIPPED`.
        id: Of the clip.
        reason: For a person.
    """

    kind: str
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, mean, middle and most of some numbers, and their standard deviation."""

    least: float
    mean: float
    middle: float
    most: float
    deviation: float


@dataclass(frozen=True, slots=True)
class SplitDescription:
    """One split, or all of them.

    Attributes:
        clips: That can be used.
        hours: Their length together; None where no length was found.
        timed: Clips whose length is known.
        groups: Different groups.
        captions: All of them.
        distinct_captions: Different ones.
        captions_of_a_clip: How many a clip has.
        words_of_a_caption: How long captions are.
        vocabulary: Different words.
        once: Words that occur once only.
        mtld: Lexical diversity of a clip's captions together.
        duration_s: Lengths of clips.
    """

    clips: int
    hours: float | None
    timed: int
    groups: int
    captions: int
    distinct_captions: int
    captions_of_a_clip: Spread
    words_of_a_caption: Spread
    vocabulary: int
    once: int
    mtld: Spread
    duration_s: Spread | None


@dataclass(frozen=True, slots=True)
class Description:
    """A data set.

    Attributes:
        name: Its name.
        splits: Each that has clips, and "all".
        omitted: Clips left out, by kind.
        complaints: Files with something wrong.
        torn_groups: Groups that are in more than one split.
        licences: Clips by licence.
        common_words: The most frequent words and their counts.
    """

    name: str
    splits: dict[str, SplitDescription]
    omitted: dict[str, int]
    complaints: tuple[Complaint, ...]
    torn_groups: tuple[str, ...]
    licences: dict[str, int]
    common_words: dict[str, int]

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON file."""
        return asdict(self)


def check_samples(samples: FloatArray, *, sample_rate_hz: int) -> list[tuple[str, str]]:
    """What is wrong with a sound (n,) beyond its file: (kind, reason) each."""
    found: list[tuple[str, str]] = []
    if len(samples) < _SHORTEST_S * sample_rate_hz:
        found.append((SHORT, f"{1000 * len(samples) / sample_rate_hz:.1f} ms"))
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < 10 ** (_SILENT_DB / 20):
        found.append((SILENT, f"its peak is at {20 * math.log10(peak):.0f} dBFS" if peak else "it is digital silence"))
    share = float((np.abs(samples) >= _FULL_SCALE).mean()) if len(samples) else 0.0
    if share >= _CLIPPED_SHARE:
        found.append((CLIPPED, f"{share:.1%} of its samples are at full scale"))
    return found


def look_at_file(clip: Clip, *, decode: bool) -> tuple[float, list[Complaint]]:
    """A clip's length in seconds (NaN if it cannot be read), and what is wrong with its file.

    Args:
        clip: Whose file is looked at.
        decode: Whether to read it to its end, which alone finds silence, clipping and damage behind the header.
    """
    try:
        info = probe(clip.path)
        samples = read_mono(clip.path, sample_rate_hz=_SAMPLE_RATE_HZ) if decode else None
    except UnusableFileError as error:
        return math.nan, [Complaint(BROKEN, clip.id, f"{clip.path}: {error}")]
    if samples is None:
        short = [Complaint(SHORT, clip.id, f"{1000 * info.duration_s:.1f} ms")]
        return info.duration_s, short if info.duration_s < _SHORTEST_S else []
    wrong = check_samples(samples, sample_rate_hz=_SAMPLE_RATE_HZ)
    return len(samples) / _SAMPLE_RATE_HZ, [Complaint(kind, clip.id, reason) for kind, reason in wrong]


def look_at_files(clips: Iterable[Clip], *, decode: bool) -> tuple[dict[str, float], tuple[Complaint, ...]]:
    """Lengths by clip id, and all complaints; the clips are looked at as they are taken."""
    durations_s: dict[str, float] = {}
    complaints: list[Complaint] = []
    for clip in clips:
        durations_s[clip.id], found = look_at_file(clip, decode=decode)
        complaints += found
    return durations_s, tuple(complaints)


def describe(
    dataset: Dataset, *, durations_s: dict[str, float] | None = None, complaints: Sequence[Complaint] = ()
) -> Description:
    """Count.

    Args:
        dataset: What is described.
        durations_s: By clip id, as `look_at_files` found them; None: what the data set's tables say.
        complaints: As `look_at_files` found them.
    """
    lengths = durations_s if durations_s is not None else {clip.id: clip.duration_s for clip in dataset.clips}
    parts = {name: dataset.split(name) for name in SPLITS}
    parts = {name: clips for name, clips in parts.items() if clips} | {"all": dataset.clips}
    words = Counter(word for clip in dataset.clips for caption in clip.captions for word in split_words(caption))
    return Description(
        name=dataset.name,
        splits={name: _describe_clips(clips, lengths) for name, clips in parts.items()},
        omitted=dataset.omitted(),
        complaints=tuple(complaints),
        torn_groups=groups_in_two_splits(dataset.clips),
        licences=dict(Counter(clip.licence or "not stated" for clip in dataset.clips).most_common()),
        common_words=dict(words.most_common(_MOST_COMMON)),
    )


def _describe_clips(clips: Sequence[Clip], lengths: dict[str, float]) -> SplitDescription:
    captions = [caption for clip in clips for caption in clip.captions]
    words = [split_words(caption) for caption in captions]
    counts = Counter(word for caption in words for word in caption)
    of_clips = [[word for caption in clip.captions for word in split_words(caption)] for clip in clips]
    timed = [length for clip in clips if not math.isnan(length := lengths.get(clip.id, math.nan))]
    return SplitDescription(
        clips=len(clips),
        hours=sum(timed) / 3600 if timed else None,
        timed=len(timed),
        groups=len({clip.group or clip.id for clip in clips}),
        captions=len(captions),
        distinct_captions=len(set(captions)),
        captions_of_a_clip=_spread([len(clip.captions) for clip in clips]),
        words_of_a_caption=_spread([len(caption) for caption in words]),
        vocabulary=len(counts),
        once=sum(1 for count in counts.values() if count == 1),
        mtld=_spread([mtld(text) for text in of_clips if text]),
        duration_s=_spread(timed) if timed else None,
    )


def _spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(0.0, 0.0, 0.0, 0.0, 0.0)
    return Spread(min(values), fmean(values), median(values), max(values), pstdev(values))


def complaint_counts(complaints: Iterable[Complaint]) -> dict[str, int]:
    """How many files have what wrong with them."""
    return dict(Counter(complaint.kind for complaint in complaints))
