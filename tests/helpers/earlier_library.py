"""A library as the first version of the program left it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from core.catalogue.location import DATABASE_NAME
from core.catalogue.migration import APPLICATION_ID, SCRIPTS


def write_first_version(folder: Path, sounds: Path) -> Path:
    """A database of schema 1 with one indexed file, a tag, a collection and a caption; gives its path."""
    folder.mkdir(parents=True)
    database = folder / DATABASE_NAME
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(f"PRAGMA user_version = 1; PRAGMA application_id = {APPLICATION_ID};")
        run = connection.execute
        run("INSERT INTO roots VALUES (1, ?, ?, 'online', 0)", (str(sounds).encode(), str(sounds)))
        run(
            "INSERT INTO files (id, root_id, relative_path, display_path, folder, name, extension, size, mtime_ns, "
            "state, content_hash, container, duration_s, added_at, indexed_at) "
            "VALUES (7, 1, x'612e776176', 'a.wav', '', 'a.wav', 'wav', 9, 9, 'ready', x'01', 'wav', 2.0, 0, 0)"
        )
        run("INSERT INTO file_text (rowid, name, folder, metadata, captions) VALUES (7, 'a.wav', '', '', 'a dog')")
        run("INSERT INTO models VALUES ('old-1.0.0', 2, 0)")
        run("INSERT INTO windows VALUES (1, 7, 0.0, 2.0)")
        run("INSERT INTO embeddings VALUES (1, 1, 7, 'old-1.0.0', x'003c0000')")
        run("INSERT INTO file_embeddings VALUES (7, 'old-1.0.0', x'003c0000')")
        run(
            "INSERT INTO captions (file_id, text, origin, model_id, confidence, added_at) "
            "VALUES (7, 'a dog', 'model', 'm', 0.5, 0)"
        )
        run("INSERT INTO tags VALUES (1, 'pet')")
        run("INSERT INTO file_tags VALUES (7, 1)")
        run("INSERT INTO collections VALUES (1, 'film', 0)")
        run("INSERT INTO collection_files VALUES (1, 7, 0)")
    return database
