"""Small folders of made-up sounds, and an encoder of a few lines of NumPy to index them with."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from core.catalogue import Catalogue
from core.catalogue.root import add_root
from core.ingest.pipeline import ingest
from core.ingest.scan import scan
from core.jobs import CancelToken, Event
from core.types import FloatArray

RATE_HZ = 8_000
HOP_SAMPLES = 80
BANDS = 12


@dataclass(frozen=True)
class BandCard:
    """The part of a model card that indexing reads."""

    id: str = "bands-1.0.0"
    dimension: int = 16
    sample_rate_hz: int = RATE_HZ
    window_s: float = 1.0
    hop_s: float = 0.5


class BandEncoder:
    """Mean and deviation of band energies, turned by a fixed random matrix: deterministic, and without torch."""

    def __init__(self, card: BandCard | None = None) -> None:
        self.card = card or BandCard()
        self.prepared_threads = 0
        self.embedded_windows = 0
        rng = np.random.default_rng(list(self.card.id.encode()))
        self._turn = rng.standard_normal((2 * BANDS, self.card.dimension)).astype(np.float32)

    def prepare_worker_thread(self) -> None:
        self.prepared_threads += 1

    def features(self, samples: FloatArray) -> FloatArray:
        stream = self.feature_stream()
        return np.concatenate([stream.push(samples), stream.finish()])

    def feature_stream(self) -> BandStream:
        return BandStream()

    def embed_features(self, windows: Sequence[FloatArray]) -> FloatArray:
        self.embedded_windows += len(windows)
        summary = np.stack([np.concatenate([frames.mean(axis=0), frames.std(axis=0)]) for frames in windows])
        vectors = summary @ self._turn
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_audio(self, clips: Sequence[FloatArray]) -> FloatArray:
        return self.embed_features([self.features(clip) for clip in clips])

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        raise NotImplementedError("indexing embeds no text")


class BandStream:
    """Log energies of equal bands, frame by frame."""

    def __init__(self) -> None:
        self._rest = np.empty(0, dtype=np.float32)

    def push(self, samples: FloatArray) -> FloatArray:
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) // HOP_SAMPLES * HOP_SAMPLES
        self._rest = joined[whole:]
        return self._frames(joined[:whole])

    def finish(self) -> FloatArray:
        missing = -len(self._rest) % HOP_SAMPLES
        return self._frames(np.pad(self._rest, (0, missing)))

    def _frames(self, samples: FloatArray) -> FloatArray:
        spectrum = np.abs(np.fft.rfft(samples.reshape(-1, HOP_SAMPLES), axis=1))[:, : 3 * BANDS]
        energies = spectrum.reshape(len(spectrum), BANDS, 3).sum(axis=2)
        return np.log(energies + 1e-3).astype(np.float32)


def write_sound(path: Path, seed: int, *, duration_s: float = 0.6, rate_hz: int = RATE_HZ, channels: int = 1) -> Path:
    """A noise with a few tones in it, different for every seed."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    sound = 0.05 * rng.standard_normal((len(time_s), channels))
    for frequency_hz in rng.uniform(100, 0.4 * rate_hz, 3):
        sound += 0.1 * np.sin(2 * np.pi * frequency_hz * time_s)[:, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate_hz, subtype="PCM_16", format="WAV")
    return path


def scan_all(catalogue: Catalogue, *folders: Path) -> list[Event]:
    """Add folders and scan everything."""
    for folder in folders:
        with catalogue.write() as session:
            add_root(session, folder)
    return list(scan(catalogue, cancel=CancelToken()))


def index_all(catalogue: Catalogue, *folders: Path, encoder: BandEncoder | None = None, jobs: int = 2) -> list[Event]:
    """Add folders, scan everything and index what waits."""
    events = scan_all(catalogue, *folders)
    return events + list(ingest(catalogue, encoder or BandEncoder(), cancel=CancelToken(), jobs=jobs))


def rows(catalogue: Catalogue, statement: str, *parameters: object) -> list[tuple]:
    """The rows of a statement, read behind the catalogue's back."""
    with closing(sqlite3.connect(catalogue.database)) as connection:
        return connection.execute(statement, parameters).fetchall()


def states(catalogue: Catalogue) -> dict[str, str]:
    """State by display path."""
    return dict(rows(catalogue, "SELECT display_path, state FROM files"))
