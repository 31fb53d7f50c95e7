"""Creates a library's tables and brings older ones up to date.

The schema's version is SQLite's ``user_version``, which is the number of the last Alembic revision. Reading it takes
microseconds, so a library that is up to date is opened without importing Alembic.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from core.catalogue.failure import shown
from core.catalogue.location import database_uri
from core.errors import LibraryError, SchemaTooNewError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SCHEMA_VERSION = 2
"""Number of the newest revision under ``migrations/versions``."""

APPLICATION_ID = 0x45617273
"""SQLite's ``application_id`` of a library: "Ears"."""

SCRIPTS = Path(__file__).parent / "migrations"


def schema_version(database: Path) -> int:
    """Version of the tables in a database file; 0 where there are none yet.

    Raises:
        LibraryError: The file is a database of another program.
        sqlite3.Error: The file is no database, or cannot be read.
    """
    if not database.exists() or database.stat().st_size == 0:
        return 0
    with contextlib.closing(sqlite3.connect(database_uri(database, read_only=True), uri=True)) as connection:
        return _read_version(connection, database)


def _read_version(connection: sqlite3.Connection, database: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if application != APPLICATION_ID:
        tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        if tables or version:
            raise LibraryError(
                f"{shown(database)} belongs to another program.", "Choose another folder for the library."
            )
    return version


def refuse_newer(version: int, folder: Path, *, newest: int = SCHEMA_VERSION) -> None:
    """Raise SchemaTooNewError if a library is of a later version than this program understands."""
    if version > newest:
        raise SchemaTooNewError(
            f"The library in {shown(folder)} was written by a newer version of Earshot "
            f"(its format is {version}, this version understands up to {newest}).",
            "Update Earshot, or choose another library with --library.",
        )


def upgrade(engine: Engine, database: Path, version: int, *, scripts: Path = SCRIPTS) -> None:
    """Run the migrations that `database` lacks, all in one transaction.

    Args:
        engine: Whose connections begin transactions at once (see `Catalogue`).
        database: The file; unless it is new, a copy is made beside it first.
        version: Its present version, 0 for a new file.
        scripts: Alembic's folder.

    Raises:
        LibraryError: There is no room for the copy.
    """
    from alembic import command
    from alembic.config import Config

    if version:
        _back_up(database, version)
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _stamp(connection)


def _stamp(connection: Connection) -> None:
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA user_version = {int(revision)}")
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def backup_path(database: Path, version: int) -> Path:
    """Where the copy of a library of schema `version` is kept when it is upgraded."""
    return database.with_name(f"{database.stem}-before-schema-{version + 1}{database.suffix}")


def _back_up(database: Path, version: int) -> None:
    target = backup_path(database, version)
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    try:
        with (
            contextlib.closing(sqlite3.connect(database)) as source,
            contextlib.closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
