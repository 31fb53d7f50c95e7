"""The tables of a library, as SQLAlchemy classes.

The migrations under ``migrations/versions`` create them; a test holds the two against each other.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Double, Enum, ForeignKey, Index, LargeBinary, MetaData, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class FileState(StrEnum):
    """What is known of a file."""

    SCANNED = "scanned"
    """Found, or changed, and waiting to be indexed."""
    READY = "ready"
    """Indexed: its embeddings belong to the bytes on disk."""
    SKIPPED = "skipped"
    """Cannot be used, for the reason in `File.skip_reason`."""
    MISSING = "missing"
    """No longer where it was."""


class RootState(StrEnum):
    """Whether a folder of the library can be reached."""

    ONLINE = "online"
    OFFLINE = "offline"


class PathBytes(TypeDecorator[str]):
    """A path of any bytes: `str` with surrogate escapes in Python, a BLOB in SQLite, whose text must be UTF-8."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Encode on the way in."""
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        """Decode on the way out."""
        return None if value is None else os.fsdecode(value)


class Base(DeclarativeBase):
    """Common ancestor; names every constraint, so that migrations can speak of it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {float: Double}


def _state_type(states: type[StrEnum], name: str) -> Enum:
    return Enum(
        states,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


def _file_key(*, primary: bool = False, index: bool = False) -> Mapped[int]:
    return mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=primary, index=index)


class Root(Base):
    """A folder that the user added.

    One root may have an empty path: its files are those that the user keeps although they lie outside all folders,
    and their relative paths are whole paths.
    """

    __tablename__ = "roots"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(PathBytes, unique=True)
    display_path: Mapped[str]
    state: Mapped[RootState] = mapped_column(_state_type(RootState, "state"), default=RootState.ONLINE)
    added_at: Mapped[float]
    """Seconds since the epoch, as every `_at`."""


class File(Base):
    """An audio file below a root.

    `relative_path` is exact; `display_path`, `folder` and `name` are the same as text, with replacement marks for
    bytes that are no UTF-8 and "/" between folders. Columns from `container` on are None until they are known.
    """

    __tablename__ = "files"
    __table_args__ = (
        UniqueConstraint("root_id", "relative_path"),
        Index("ix_files_state_size", "state", "size"),
        Index("ix_files_root_id_folder", "root_id", "folder"),
        Index("ix_files_root_id_state", "root_id", "state", "duration_s", "size"),
        Index("ix_files_ucs_cat_id_state", "ucs_cat_id", "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"))
    relative_path: Mapped[str] = mapped_column(PathBytes)
    display_path: Mapped[str]
    folder: Mapped[str]
    name: Mapped[str]
    extension: Mapped[str]
    size: Mapped[int]
    mtime_ns: Mapped[int]
    state: Mapped[FileState] = mapped_column(_state_type(FileState, "state"))
    skip_reason: Mapped[str | None]
    content_hash: Mapped[bytes | None] = mapped_column(index=True)
    container: Mapped[str | None]
    encoding: Mapped[str | None]
    sample_rate_hz: Mapped[int | None]
    channels: Mapped[int | None]
    bit_depth: Mapped[int | None]
    duration_s: Mapped[float | None]
    peak_db: Mapped[float | None]
    loudness_lufs: Mapped[float | None]
    ucs_cat_id: Mapped[str | None]
    added_at: Mapped[float]
    indexed_at: Mapped[float | None]
    rating: Mapped[int] = mapped_column(server_default="0")
    is_favourite: Mapped[bool] = mapped_column(server_default="0")

    root: Mapped[Root] = relationship()
    tags: Mapped[list[Tag]] = relationship(secondary="file_tags", back_populates="files")
    collections: Mapped[list[Collection]] = relationship(secondary="collection_files", viewonly=True)
    metadata_fields: Mapped[list[MetadataField]] = relationship(order_by="MetadataField.position", passive_deletes=True)
    captions: Mapped[list[Caption]] = relationship(passive_deletes=True)

    @property
    def path(self) -> str:
        """The whole path, exact, with surrogate escapes."""
        return os.path.join(self.root.path, self.relative_path)  # noqa: PTH118 - for lists of 100,000 files


class MetadataField(Base):
    """One field that stands in a file: bext, iXML, INFO, ID3, Vorbis comment ..."""

    __tablename__ = "metadata_fields"

    file_id: Mapped[int] = _file_key(primary=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    scheme: Mapped[str]
    key: Mapped[str]
    value: Mapped[str]


class EmbeddingModel(Base):
    """A model of which the library holds embeddings."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[int]
    added_at: Mapped[float]


class Window(Base):
    """A stretch of a file that has its own embedding."""

    __tablename__ = "windows"
    __table_args__ = (
        UniqueConstraint("file_id", "start_s", "end_s"),
        CheckConstraint("start_s >= 0 AND end_s >= start_s", name="span"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = _file_key()
    start_s: Mapped[float]
    end_s: Mapped[float]


class Embedding(Base):
    """The vector of a window by a model: float16, little-endian. Its id is the label in the index, never reused."""

    __tablename__ = "embeddings"
    __table_args__ = (
        UniqueConstraint("window_id", "model_id"),
        Index("ix_embeddings_model_id_file_id", "model_id", "file_id"),
        Index("ix_embeddings_file_id", "file_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    window_id: Mapped[int] = mapped_column(ForeignKey("windows.id", ondelete="CASCADE"))
    file_id: Mapped[int] = _file_key()
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    vector: Mapped[bytes]


class FileEmbedding(Base):
    """The vector of a whole file by a model: the duration-weighted mean of its windows, float16."""

    __tablename__ = "file_embeddings"

    file_id: Mapped[int] = _file_key(primary=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, index=True)
    vector: Mapped[bytes]


class RemovedEmbedding(Base):
    """The label of a deleted embedding; a trigger writes it, and the index catches up by it."""

    __tablename__ = "removed_embeddings"
    __table_args__ = (Index("ix_removed_embeddings_model_id", "model_id"), {"sqlite_autoincrement": True})

    seq: Mapped[int] = mapped_column(primary_key=True)
    embedding_id: Mapped[int]
    model_id: Mapped[str]


class Peaks(Base):
    """The outline of a file's waveform, as `core.audio.peaks` packs it."""

    __tablename__ = "peaks"

    file_id: Mapped[int] = _file_key(primary=True)
    overview: Mapped[bytes]


class Caption(Base):
    """A sentence about a file or a stretch of it, by a person ("user") or a model ("model").

    `tags` and `alternatives` are JSON lists of texts; `original` is what the model had written before a person
    changed it; `is_sure` tells whether the model was sure enough of its sentence to stand by it.
    """

    __tablename__ = "captions"

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = _file_key(index=True)
    text: Mapped[str]
    origin: Mapped[str]
    model_id: Mapped[str | None]
    confidence: Mapped[float | None]
    start_s: Mapped[float | None]
    end_s: Mapped[float | None]
    added_at: Mapped[float]
    tags: Mapped[str] = mapped_column(server_default="[]")
    alternatives: Mapped[str] = mapped_column(server_default="[]")
    original: Mapped[str | None]
    is_sure: Mapped[bool] = mapped_column(server_default="1")


class SavedSearch(Base):
    """A question that the user named to ask it again."""

    __tablename__ = "saved_searches"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    query_json: Mapped[str]
    added_at: Mapped[float]


class RememberedSearch(Base):
    """A question that was asked; the highest id is the latest."""

    __tablename__ = "remembered_searches"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    query_json: Mapped[str] = mapped_column(unique=True)


class Tag(Base):
    """A word that the user hangs on files."""

    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

    files: Mapped[list[File]] = relationship(secondary="file_tags", back_populates="tags")


class FileTag(Base):
    """Which file carries which tag."""

    __tablename__ = "file_tags"

    file_id: Mapped[int] = _file_key(primary=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True)


class Collection(Base):
    """A list of files that the user put together."""

    __tablename__ = "collections"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    added_at: Mapped[float]


class CollectionFile(Base):
    """A file's place in a collection."""

    __tablename__ = "collection_files"

    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int]


class UnreadableFolder(Base):
    """A folder below a root that the last scan could not look into."""

    __tablename__ = "unreadable_folders"

    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"), primary_key=True)
    relative_path: Mapped[str] = mapped_column(PathBytes, primary_key=True)
    display_path: Mapped[str]
    reason: Mapped[str]
