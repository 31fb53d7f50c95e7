"""Where a library's database lies and how SQLite is to address it."""

from __future__ import annotations

import os
from pathlib import Path

DATABASE_NAME = "catalogue.sqlite3"


def database_uri(database: Path, *, read_only: bool) -> str:
    """The address of a database file of any name, for `sqlite3.connect(..., uri=True)`."""
    uri = database.absolute().as_uri()
    if not read_only:
        return f"{uri}?mode=rwc"
    return f"{uri}?mode=ro&immutable=1" if _is_frozen(database) else f"{uri}?mode=ro"


def _is_frozen(database: Path) -> bool:
    """Whether a library lies on a medium where SQLite can put no files beside it, and nobody can be writing."""
    log = database.with_name(database.name + "-wal")
    return not os.access(database.parent, os.W_OK) and not (log.exists() and log.stat().st_size)
