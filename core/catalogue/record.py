"""Values that pass between the catalogue and those who fill it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.audio.metadata import MetadataField
from core.audio.peaks import Peaks
from core.types import AudioInfo, FloatArray


@dataclass(frozen=True, slots=True)
class FoundFile:
    """What a scan sees of a file.

    Attributes:
        relative_path: Below the root, exact, with surrogate escapes.
        size: Bytes.
        mtime_ns: Time of the last change.
        problem: Why it cannot be used, where the scan can tell already; or an empty string.
    """

    relative_path: str
    size: int
    mtime_ns: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A file that waits to be indexed.

    Attributes:
        id: Its row.
        path: Whole path, exact.
        root_path: That of its root.
        content_hash: Of the bytes that were indexed last, or None.
        is_embedded: Whether the row holds embeddings of `content_hash` by the model in question.
    """

    id: int
    path: str
    root_path: str
    content_hash: bytes | None
    is_embedded: bool


@dataclass(frozen=True, slots=True)
class Twin:
    """A row that holds embeddings of known bytes; where it lies tells a move from a copy."""

    id: int
    path: str
    root_path: str
    is_missing: bool


@dataclass(frozen=True, slots=True)
class SoundContent:
    """All that indexing finds in a file.

    Shape legend: w windows, d dimension.

    Attributes:
        info: Format; its duration is that of the decoded sound.
        peak_db: Largest sample, dB relative to full scale.
        loudness_lufs: Integrated loudness, or None for near silence.
        metadata: Fields that stand in the file.
        peaks: The outline of its waveform.
        starts_s: (w,) beginnings of the windows, seconds.
        ends_s: (w,) their ends.
        vectors: (w, d) their embeddings, unit length.
        file_vector: (d,) the duration-weighted mean of `vectors`, unit length.
    """

    info: AudioInfo
    peak_db: float
    loudness_lufs: float | None
    metadata: tuple[MetadataField, ...]
    peaks: Peaks
    starts_s: npt.NDArray[np.float64] = field(repr=False)
    ends_s: npt.NDArray[np.float64] = field(repr=False)
    vectors: FloatArray = field(repr=False)
    file_vector: FloatArray = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells that a file on disk is still the same."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file that was decoded and embedded."""

    file_id: int
    stamp: FileStamp
    content_hash: bytes
    content: SoundContent


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file whose bytes the catalogue knows already: its own row's, or another's.

    Attributes:
        file_id: Its row.
        stamp: As it is on disk.
        content_hash: Of its bytes.
        twin_id: The row that holds their embeddings; may be `file_id`.
        is_moved: Whether the twin's own file is gone, so that this is the same file elsewhere.
    """

    file_id: int
    stamp: FileStamp
    content_hash: bytes
    twin_id: int
    is_moved: bool


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that cannot be used.

    Attributes:
        file_id: Its row.
        stamp: As it was on disk.
        reason: For a person.
        is_passing: Whether the cause may go away while the file stays as it is (no permission, being written). It is
            then tried again after every scan, and what is known of its bytes is kept.
    """

    file_id: int
    stamp: FileStamp
    reason: str
    is_passing: bool = False


@dataclass(frozen=True, slots=True)
class VanishedFile:
    """A file that is gone since the scan."""

    file_id: int


Outcome = IndexedFile | KnownFile | FailedFile | VanishedFile
