"""Run by Alembic: binds the migrations to the connection that `core.catalogue.migration` hands over.

To write a new revision: add ``versions/v0003_what_changes.py`` by hand, with ``revision = "0003"``, and raise
`SCHEMA_VERSION`. Revisions are numbered, because their number becomes the database's ``user_version``.
"""

from __future__ import annotations

from alembic import context

from core.catalogue.models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
