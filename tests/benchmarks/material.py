"""A folder of sounds to measure on: 48 kHz stereo WAV, FLAC, MP3 and Ogg files of 2 to 60 s.

They are joined from the bundled samples (or, where it is present, from the corpus of real recordings), so that
decoders and encoder see real signals. The folder is made once and reused.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "bench"
SAMPLE_RATE_HZ = 48_000
FORMATS = (("wav", "PCM_16"), ("wav", "PCM_24"), ("flac", "PCM_16"), ("mp3", "MPEG_LAYER_III"), ("ogg", "VORBIS"))


def sound_folder(*, files: int = 120, seed: int = 7) -> tuple[Path, float]:
    """Return a folder of `files` sounds in five formats in turn, and its total length in seconds."""
    folder = CACHE / f"sounds-{files}-{seed}"
    rng = np.random.default_rng(seed)
    durations_s = np.exp(rng.uniform(np.log(2.0), np.log(60.0), files))
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = _source_signal(rng, seconds=600.0)
        for number, duration_s in enumerate(durations_s):
            suffix, subtype = FORMATS[number % len(FORMATS)]
            count = int(duration_s * SAMPLE_RATE_HZ)
            left, right = (_stretch(source, int(rng.integers(len(source))), count) for _ in range(2))
            stereo = np.stack([0.7 * left + 0.3 * right, 0.3 * left + 0.7 * right], axis=1)
            _write(folder / f"{number:04d}.{suffix}", stereo, subtype)
        (folder / "complete").touch()
    return folder, float(durations_s.sum())


def sound_files(folder: Path) -> list[Path]:
    """The sounds of a folder made by `sound_folder`, in order."""
    return sorted(path for path in folder.iterdir() if path.suffix)


def _write(path: Path, samples: np.ndarray, subtype: str) -> None:
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, samples.shape[1], subtype) as file:
        # libsndfile's Vorbis encoder overruns its stack when it is handed much more at once.
        for start in range(0, len(samples), SAMPLE_RATE_HZ):
            file.write(samples[start : start + SAMPLE_RATE_HZ])


def _source_signal(rng: np.random.Generator, *, seconds: float) -> np.ndarray:
    paths = sorted(_source_folder().rglob("*.ogg"))
    pieces, length = [], 0
    for index in rng.permutation(len(paths)):
        samples, rate = soundfile.read(paths[index], dtype="float32", always_2d=True)
        piece = soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE_HZ)
        pieces.append(piece)
        length += len(piece)
        if length > seconds * SAMPLE_RATE_HZ:
            break
    return np.concatenate(pieces).astype(np.float32)


def _source_folder() -> Path:
    shared = Path(os.environ.get("EARSHOT_SHARED", REPOSITORY.parent / "shared"))
    corpus = shared / "corpus" / "audio"
    return corpus if corpus.is_dir() else REPOSITORY / "resources" / "samples"


def _stretch(source: np.ndarray, start: int, count: int) -> np.ndarray:
    return np.take(source, np.arange(start, start + count), mode="wrap")
