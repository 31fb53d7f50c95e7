"""The small file that says which graphs make up an index."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.index.durable import write_durably

MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 16 * 2**20


class UnusableIndexError(Exception):
    """The index on disk, or a part of it, cannot be used and has to be built again; the text is the reason."""


class SegmentRecord(BaseModel):
    """What the manifest says of one graph.

    Attributes:
        file: Name inside the index's folder.
        rows: Rows in the graph, dead ones included.
        after_row: The graph holds the source's rows with labels above this one
        last_row: and up to this one.
        removed_seq: Tombstones up to this one are known not to concern the graph's rows.
        size_bytes: Size of the file.
        crc32: Check sum of the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    file: str = Field(pattern=r"^segment-[0-9a-f-]+\.hnsw$")
    rows: int = Field(ge=1)
    after_row: int = Field(ge=0)
    last_row: int = Field(ge=1)
    removed_seq: int = Field(ge=0)
    size_bytes: int = Field(ge=1)
    crc32: int = Field(ge=0, lt=2**32)


class Manifest(BaseModel):
    """The index as saved.

    Attributes:
        format: Version of this file and of the graphs' files.
        model_id: Model whose vectors these are.
        dimension: Numbers per vector.
        count: Rows in the graphs that were alive at the time of saving.
        last_row: Highest label that the graphs cover; rows above it are read from the catalogue.
        removed_seq: Tombstones up to this one are of no concern.
        segments: The graphs by ascending label; each covers a range of labels of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    model_id: str
    dimension: int = Field(ge=1)
    count: int = Field(ge=0)
    last_row: int = Field(ge=0)
    removed_seq: int = Field(ge=0)
    segments: list[SegmentRecord]

    @model_validator(mode="after")
    def _check_ranges(self) -> Manifest:
        covered = 0
        for segment in self.segments:
            if not covered <= segment.after_row < segment.last_row <= self.last_row:
                raise ValueError(f"{segment.file} covers labels that are not its own")
            covered = segment.last_row
        return self


def load_manifest(folder: Path, *, model_id: str, dimension: int) -> Manifest | None:
    """The manifest of an index's folder, or None when there is none.

    Raises:
        UnusableIndexError: It is damaged, of another version, or belongs to other vectors.
    """
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            text = file.read(MAX_MANIFEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnusableIndexError(f"The index's manifest cannot be read ({error.strerror}).") from error
    if len(text) > MAX_MANIFEST_BYTES:
        raise UnusableIndexError("The index's manifest is damaged.")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise UnusableIndexError("The index's manifest is damaged or of another version.") from error
    if manifest.model_id != model_id:
        raise UnusableIndexError(f"The index was made for the model {manifest.model_id}.")
    if manifest.dimension != dimension:
        raise UnusableIndexError(f"The index holds vectors of {manifest.dimension} numbers, not {dimension}.")
    return manifest


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one that is there, in one step."""
    content = manifest.model_dump_json(indent=1).encode()

    def write(path: Path) -> None:
        path.write_bytes(content)

    write_durably(folder / MANIFEST_NAME, write)
