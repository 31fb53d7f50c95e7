"""Sounds decoded and resampled ahead of training, under names that follow from their content.

A folder `DECODED` holds `ab/abcdef....wav`: one channel at one rate as 32-bit floats, exactly what `core.audio.mono`
gives, so that training from it computes the same as training from the originals. Two files with the same content share
one. Each is complete or absent; a stopped run goes on where it was. `digests.jsonl` remembers which file had which
content (by path, size and time), so that a second run need not read the originals again.
"""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from core.audio.mono import read_mono
from core.errors import UnusableFileError
from core.types import FloatArray, Span
from training.data.cache import content_key, file_digest
from training.data.dataset import Clip, Dataset, Omission
from training.data.storage import replace_file, storage_error

_DIGESTS_FILE = "digests.jsonl"
_FORMAT = "mono float32, resampled with soxr HQ"
_UNREADABLE = "cannot be read"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What preparing did.

    Attributes:
        dataset: The clips with the paths of their decoded sounds; what cannot be read is among the omissions.
        decoded: How many were decoded now.
        found: How many were there already.
    """

    dataset: Dataset
    decoded: int
    found: int


class DigestIndex:
    """Remembers files' digests by path, size and modification time; safe to use from several threads.

    Args:
        path: A JSON-lines file that only grows; a last line cut short by a stop is ignored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[str, int, int], str] = {}
        self._lock = threading.Lock()
        lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        for line in lines:
            try:
                name, size, time_ns, digest = json.loads(line)
                self._known[str(name), int(size), int(time_ns)] = str(digest)
            except (ValueError, TypeError):
                continue

    def __call__(self, path: Path) -> str:
        """SHA-256 of a file's content.

        Raises:
            UnusableFileError: It cannot be read.
            StorageError: The digest cannot be kept.
        """
        try:
            state = path.stat()
            key = (str(path.resolve()), state.st_size, state.st_mtime_ns)
            known = self._known.get(key)
            digest = known or file_digest(path)
        except OSError as error:
            raise UnusableFileError(f"The file could not be read ({error.strerror}).") from error
        if known is None:
            self._keep(key, digest)
        return digest

    def _keep(self, key: tuple[str, int, int], digest: str) -> None:
        with self._lock:
            self._known[key] = digest
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    # A line cut short by a stop must not swallow this one.
                    file.write("\n" + json.dumps([*key, digest], ensure_ascii=False))
            except OSError as error:
                raise storage_error(self._path, error) from error


class DecodedSounds:
    """A folder of decoded sounds.

    Args:
        folder: Is made where it is missing.
        sample_rate_hz: Of the decoded sounds.
        longest_s: Only so much from the beginning is kept; None: all.

    Raises:
        StorageError: The folder cannot be made.
    """

    def __init__(self, folder: Path, *, sample_rate_hz: int, longest_s: float | None = None) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(folder, error) from error
        self._folder = folder
        self._rate_hz = sample_rate_hz
        self._longest_s = longest_s
        self._digest = DigestIndex(folder / _DIGESTS_FILE)

    def place(self, path: Path) -> Path:
        """Where the decoded sound of a file lies or will lie.

        Raises:
            UnusableFileError: The file cannot be read.
        """
        key = content_key(file=self._digest(path), rate=self._rate_hz, longest_s=self._longest_s, format=_FORMAT)
        return self._folder / key[:2] / f"{key}.wav"

    def decode(self, path: Path) -> tuple[Path, bool]:
        """The decoded sound of a file, and whether it was decoded now.

        Raises:
            UnusableFileError: The file cannot be read.
            StorageError: There is no space.
        """
        place = self.place(path)
        if place.is_file():
            return place, False
        span = None if self._longest_s is None else Span(0.0, self._longest_s)
        content = _wav(read_mono(path, sample_rate_hz=self._rate_hz, span=span), self._rate_hz)
        replace_file(place, lambda partial: partial.write_bytes(content))
        return place, True

    def prepare(
        self,
        dataset: Dataset,
        *,
        jobs: int = 1,
        progress: Callable[[Sequence[Clip]], Iterator[Clip]] = iter,
    ) -> Preparation:
        """Decode what is not there yet.

        Args:
            dataset: Its clips' files.
            jobs: Threads.
            progress: Wraps the clips to show how far it is.

        Raises:
            StorageError: There is no space; what was decoded before is kept.
        """
        clips: list[Clip] = []
        omissions = list(dataset.omissions)
        new = 0
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            results = pool.map(self._attempt, dataset.clips)
            try:
                for clip, result in zip(progress(dataset.clips), results, strict=True):
                    if isinstance(result, UnusableFileError):
                        omissions.append(Omission(_UNREADABLE, clip.id, f"{clip.path}: {result}"))
                        continue
                    place, is_new = result
                    new += is_new
                    clips.append(replace(clip, path=place, duration_s=soundfile.info(place).duration))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        done = Dataset(dataset.name, tuple(clips), tuple(omissions))
        return Preparation(done, decoded=new, found=len(clips) - new)

    def _attempt(self, clip: Clip) -> tuple[Path, bool] | UnusableFileError:
        try:
            return self.decode(clip.path)
        except UnusableFileError as error:
            _logger.warning("%s left out: %s", clip.id, error)
            return error


def _wav(samples: FloatArray, sample_rate_hz: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.asarray(samples, dtype=np.float32), sample_rate_hz, format="WAV", subtype="FLOAT")
    return file.getvalue()
