"""What the window needs: peaks, ratings, favourites, saved searches, the history, and more about captions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _extend_files()
    _extend_captions()
    _create_peaks()
    _create_searches()


def _extend_files() -> None:
    # SQLite adds a column without touching the rows, however many there are.
    op.execute("ALTER TABLE files ADD COLUMN rating INTEGER DEFAULT 0 NOT NULL CHECK (rating BETWEEN 0 AND 5)")
    op.execute("ALTER TABLE files ADD COLUMN is_favourite BOOLEAN DEFAULT 0 NOT NULL CHECK (is_favourite IN (0, 1))")
    # Counting by folder and by category reads these alone, and not the rows, which are ten times as large.
    op.create_index("ix_files_root_id_state", "files", ["root_id", "state", "duration_s", "size"])
    op.create_index("ix_files_ucs_cat_id_state", "files", ["ucs_cat_id", "state"])
    op.drop_index("ix_files_ucs_cat_id", "files")


def _extend_captions() -> None:
    op.execute("ALTER TABLE captions ADD COLUMN tags VARCHAR DEFAULT '[]' NOT NULL")
    op.execute("ALTER TABLE captions ADD COLUMN alternatives VARCHAR DEFAULT '[]' NOT NULL")
    op.execute("ALTER TABLE captions ADD COLUMN original VARCHAR")
    op.execute("ALTER TABLE captions ADD COLUMN is_sure BOOLEAN DEFAULT 1 NOT NULL CHECK (is_sure IN (0, 1))")


def _create_peaks() -> None:
    op.create_table(
        "peaks",
        sa.Column("file_id", sa.Integer, nullable=False),
        sa.Column("overview", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_peaks")),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_peaks_file_id"), ondelete="CASCADE"),
    )


def _create_searches() -> None:
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("query_json", sa.String, nullable=False),
        sa.Column("added_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_searches")),
        sa.UniqueConstraint("name", name=op.f("uq_saved_searches_name")),
    )
    op.create_table(
        "remembered_searches",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("query_json", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remembered_searches")),
        sa.UniqueConstraint("query_json", name=op.f("uq_remembered_searches_query_json")),
        sqlite_autoincrement=True,
    )
