"""Writes samples in the format that a file's suffix names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from synthesis import Signal

BLOCK_SAMPLES = 4096
PCM_16_SCALE = 32767
PCM_24_SCALE = 8388607

# suffix -> (soundfile's format, subtype, compression level from 0, best, to 1, smallest)
FORMATS: dict[str, tuple[str, str, float | None]] = {
    ".ogg": ("OGG", "VORBIS", 0.6),
    ".mp3": ("MP3", "MPEG_LAYER_III", 0.6),
    ".flac": ("FLAC", "PCM_16", 0.8),
    ".wav": ("WAV", "PCM_24", None),
    ".aiff": ("AIFF", "PCM_16", None),
}


def quantise(sound: Signal, scale: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Whole steps of a PCM format, (n, channels) int32, left-aligned as soundfile takes it."""
    steps = np.round(sound * scale).astype(np.int32)
    return steps << (8 if scale == PCM_24_SCALE else 16)


def write(path: Path, sound: Signal, rate_hz: int) -> None:
    """Write (n, channels) samples; lossless formats hold exactly the rounded samples.

    Args:
        path: The file; its folder is made.
        sound: Samples within full scale.
        rate_hz: Sample rate.
    """
    kind, subtype, compression = FORMATS[path.suffix]
    path.parent.mkdir(parents=True, exist_ok=True)
    lossless = subtype.startswith("PCM")
    data = quantise(sound, PCM_24_SCALE if subtype == "PCM_24" else PCM_16_SCALE) if lossless else sound
    with soundfile.SoundFile(
        path, "w", rate_hz, sound.shape[1], subtype, format=kind, compression_level=compression
    ) as file:
        # libsndfile's Vorbis writer overflows its stack on very long blocks
        for start in range(0, len(data), BLOCK_SAMPLES):
            file.write(data[start : start + BLOCK_SAMPLES])
