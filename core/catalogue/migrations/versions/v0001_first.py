"""The first version of every table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_roots_and_files()
    _create_metadata()
    _create_embeddings()
    _create_annotations()
    _create_text()
    _create_triggers()


def _references(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")


def _one_of(table: str, *states: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{state}'" for state in states)
    return sa.CheckConstraint(f"state IN ({listed})", name=op.f(f"ck_{table}_state"))


def _create_roots_and_files() -> None:
    op.create_table(
        "roots",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("display_path", sa.String, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("added_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roots")),
        sa.UniqueConstraint("path", name=op.f("uq_roots_path")),
        _one_of("roots", "online", "offline"),
    )
    op.create_table(
        "files",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("root_id", sa.Integer, nullable=False),
        sa.Column("relative_path", sa.LargeBinary, nullable=False),
        sa.Column("display_path", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("extension", sa.String, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("mtime_ns", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("skip_reason", sa.String),
        sa.Column("content_hash", sa.LargeBinary),
        sa.Column("container", sa.String),
        sa.Column("encoding", sa.String),
        sa.Column("sample_rate_hz", sa.Integer),
        sa.Column("channels", sa.Integer),
        sa.Column("bit_depth", sa.Integer),
        sa.Column("duration_s", sa.Double),
        sa.Column("peak_db", sa.Double),
        sa.Column("loudness_lufs", sa.Double),
        sa.Column("ucs_cat_id", sa.String),
        sa.Column("added_at", sa.Double, nullable=False),
        sa.Column("indexed_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("root_id", "relative_path", name=op.f("uq_files_root_id_relative_path")),
        _references("files", "root_id", "roots"),
        _one_of("files", "scanned", "ready", "skipped", "missing"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_files_content_hash", "files", ["content_hash"])
    op.create_index("ix_files_root_id_folder", "files", ["root_id", "folder"])
    op.create_index("ix_files_state_size", "files", ["state", "size"])
    op.create_index("ix_files_ucs_cat_id", "files", ["ucs_cat_id"])
    op.create_table(
        "unreadable_folders",
        sa.Column("root_id", sa.Integer, nullable=False),
        sa.Column("relative_path", sa.LargeBinary, nullable=False),
        sa.Column("display_path", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("root_id", "relative_path", name=op.f("pk_unreadable_folders")),
        _references("unreadable_folders", "root_id", "roots"),
    )


def _create_metadata() -> None:
    op.create_table(
        "metadata_fields",
        sa.Column("file_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("scheme", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("file_id", "position", name=op.f("pk_metadata_fields")),
        _references("metadata_fields", "file_id", "files"),
    )


def _create_embeddings() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("added_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    )
    op.create_table(
        "windows",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("file_id", sa.Integer, nullable=False),
        sa.Column("start_s", sa.Double, nullable=False),
        sa.Column("end_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_windows")),
        sa.UniqueConstraint("file_id", "start_s", "end_s", name=op.f("uq_windows_file_id_start_s_end_s")),
        sa.CheckConstraint("start_s >= 0 AND end_s >= start_s", name=op.f("ck_windows_span")),
        _references("windows", "file_id", "files"),
    )
    op.create_table(
        "embeddings",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("window_id", sa.Integer, nullable=False),
        sa.Column("file_id", sa.Integer, nullable=False),
        sa.Column("model_id", sa.String, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embeddings")),
        sa.UniqueConstraint("window_id", "model_id", name=op.f("uq_embeddings_window_id_model_id")),
        _references("embeddings", "window_id", "windows"),
        _references("embeddings", "file_id", "files"),
        _references("embeddings", "model_id", "models"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_embeddings_model_id_file_id", "embeddings", ["model_id", "file_id"])
    op.create_index("ix_embeddings_file_id", "embeddings", ["file_id"])
    op.create_table(
        "file_embeddings",
        sa.Column("file_id", sa.Integer, nullable=False),
        sa.Column("model_id", sa.String, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("file_id", "model_id", name=op.f("pk_file_embeddings")),
        _references("file_embeddings", "file_id", "files"),
        _references("file_embeddings", "model_id", "models"),
    )
    op.create_index("ix_file_embeddings_model_id", "file_embeddings", ["model_id"])
    op.create_table(
        "removed_embeddings",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("embedding_id", sa.Integer, nullable=False),
        sa.Column("model_id", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_removed_embeddings")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_removed_embeddings_model_id", "removed_embeddings", ["model_id"])


def _create_annotations() -> None:
    op.create_table(
        "captions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("file_id", sa.Integer, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("model_id", sa.String),
        sa.Column("confidence", sa.Double),
        sa.Column("start_s", sa.Double),
        sa.Column("end_s", sa.Double),
        sa.Column("added_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_captions")),
        _references("captions", "file_id", "files"),
    )
    op.create_index("ix_captions_file_id", "captions", ["file_id"])
    op.create_table(
        "tags",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("name", name=op.f("uq_tags_name")),
    )
    op.create_table(
        "file_tags",
        sa.Column("file_id", sa.Integer, nullable=False),
        sa.Column("tag_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("file_id", "tag_id", name=op.f("pk_file_tags")),
        _references("file_tags", "file_id", "files"),
        _references("file_tags", "tag_id", "tags"),
    )
    op.create_index("ix_file_tags_tag_id", "file_tags", ["tag_id"])
    op.create_table(
        "collections",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("added_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
        sa.UniqueConstraint("name", name=op.f("uq_collections_name")),
    )
    op.create_table(
        "collection_files",
        sa.Column("collection_id", sa.Integer, nullable=False),
        sa.Column("file_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("collection_id", "file_id", name=op.f("pk_collection_files")),
        _references("collection_files", "collection_id", "collections"),
        _references("collection_files", "file_id", "files"),
    )
    op.create_index("ix_collection_files_file_id", "collection_files", ["file_id"])


def _create_text() -> None:
    # The rowid is the file's id. The repository fills it; see core.catalogue.text.
    op.execute(
        "CREATE VIRTUAL TABLE file_text USING fts5("
        "name, folder, metadata, captions, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')"
    )


def _create_triggers() -> None:
    op.execute(
        "CREATE TRIGGER embeddings_removed AFTER DELETE ON embeddings BEGIN "
        "INSERT INTO removed_embeddings (embedding_id, model_id) VALUES (old.id, old.model_id); END"
    )
    op.execute(
        "CREATE TRIGGER files_removed AFTER DELETE ON files BEGIN DELETE FROM file_text WHERE rowid = old.id; END"
    )
