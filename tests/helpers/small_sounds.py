"""A small set of real sounds with captions: pieces of the project's own samples, described by their names."""

from __future__ import annotations

import json
from pathlib import Path

import soundfile

from core.audio.mono import read_mono
from core.config import RESOURCES

RATE_HZ = 32000
PIECE_S = 1.5
KINDS = (
    "siren",
    "rain",
    "telephone",
    "dog",
    "cat",
    "frog",
    "owl",
    "machine gun",
    "explosion",
    "whoosh",
    "knock",
    "glass",
    "typing",
    "clock",
    "motorcycle",
    "car horn",
)
"""Of the samples; every other one is validated with, the rest is tested with."""


def write_small_set(folder: Path) -> Path:
    """Two files of each kind to learn from; two pieces of a third, one group, to validate or to test with."""
    sounds = json.loads((RESOURCES / "samples" / "samples.json").read_text(encoding="utf-8"))["sounds"]
    by_kind: dict[str, list[dict[str, object]]] = {}
    for sound in sounds:
        by_kind.setdefault(sound["kind"], []).append(sound)
    lines = []
    for number, kind in enumerate(KINDS):
        for take, sound in enumerate(by_kind[kind][:3]):
            pieces = [("train", 0.0)] if take < 2 else [(("valid", "test")[number % 2], 0.0)]
            if take == 2:
                pieces.append((pieces[0][0], 1.0))
            for split, start_s in pieces:
                lines.append(json.dumps(_piece(folder, kind, take, sound, split, start_s)))
    (folder / "manifest.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def _piece(
    folder: Path, kind: str, take: int, sound: dict[str, object], split: str, start_s: float
) -> dict[str, object]:
    samples = read_mono(RESOURCES / "samples" / str(sound["path"]), sample_rate_hz=RATE_HZ)
    start = min(round(start_s * RATE_HZ), max(0, len(samples) - RATE_HZ // 2))
    piece = samples[start : start + round(PIECE_S * RATE_HZ)]
    name = f"{kind.replace(' ', '-')}-{take}-{round(start_s)}"
    soundfile.write(folder / f"{name}.wav", piece, RATE_HZ)
    descriptions = sound["descriptions"]
    assert isinstance(descriptions, list)
    return {
        "id": name,
        "file": f"{name}.wav",
        "captions": [f"the sound of a {kind}", str(descriptions[0])],
        "split": split,
        "duration_s": len(piece) / RATE_HZ,
        "source": "samples",
        "licence": "CC0-1.0",
        "licence_family": "CC0/PD",
        "category": kind,
        "group": f"{kind} {take}",
        "title": kind,
    }
