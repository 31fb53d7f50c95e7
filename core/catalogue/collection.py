"""Lists of files that the user puts together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from core.catalogue.bulk import as_json, id_array
from core.catalogue.catalogue import Catalogue
from core.errors import LibraryError
from core.types import IntArray

MAX_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection and how many files it holds; missing files do not count."""

    id: int
    name: str
    files: int


def list_collections(catalogue: Catalogue) -> list[CollectionRow]:
    """All collections by name."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT c.id, c.name, count(f.id) FROM collections c "
            "LEFT JOIN collection_files x ON x.collection_id = c.id "
            "LEFT JOIN files f ON f.id = x.file_id AND f.state <> 'missing' "
            "GROUP BY c.id ORDER BY c.name COLLATE NOCASE"
        ).fetchall()
    return [CollectionRow(*row) for row in rows]


def collection_files(catalogue: Catalogue, collection_id: int) -> IntArray:
    """Ids (m,) of a collection's files, in the order they were put in; missing ones are left out."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT x.file_id FROM collection_files x JOIN files f ON f.id = x.file_id "
            "WHERE x.collection_id = ? AND f.state <> 'missing' ORDER BY x.position, x.file_id",
            (collection_id,),
        ).fetchall()
    return id_array(rows)


def create_collection(session: Session, name: str) -> int:
    """Make an empty collection and give its id.

    Raises:
        LibraryError: The name is empty, too long or taken.
    """
    connection = session.connection()
    name = _free_name(connection, name)
    made = connection.exec_driver_sql("INSERT INTO collections (name, added_at) VALUES (?, ?)", (name, time.time()))
    return int(made.lastrowid)


def rename_collection(session: Session, collection_id: int, name: str) -> None:
    """Give a collection another name.

    Raises:
        LibraryError: The name is empty, too long or taken, or the collection is gone.
    """
    connection = session.connection()
    _refuse_unknown(connection, collection_id)
    name = _free_name(connection, name, own_id=collection_id)
    connection.exec_driver_sql("UPDATE collections SET name = ? WHERE id = ?", (name, collection_id))


def delete_collection(session: Session, collection_id: int) -> None:
    """Forget a collection; its files stay where they are."""
    session.connection().exec_driver_sql("DELETE FROM collections WHERE id = ?", (collection_id,))


def add_to_collection(session: Session, collection_id: int, file_ids: Sequence[int] | IntArray) -> int:
    """Put files at the end of a collection, each once.

    Returns:
        How many were not in it before.

    Raises:
        LibraryError: The collection is gone.
    """
    connection = session.connection()
    _refuse_unknown(connection, collection_id)
    return connection.exec_driver_sql(
        "INSERT OR IGNORE INTO collection_files (collection_id, file_id, position) "
        "SELECT :collection, f.id, j.key + 1 + (SELECT coalesce(max(position), 0) FROM collection_files "
        "WHERE collection_id = :collection) FROM json_each(:ids) j JOIN files f ON f.id = j.value ORDER BY j.key",
        {"collection": collection_id, "ids": as_json(file_ids)},
    ).rowcount


def remove_from_collection(session: Session, collection_id: int, file_ids: Sequence[int] | IntArray) -> None:
    """Take files out of a collection."""
    session.connection().exec_driver_sql(
        "DELETE FROM collection_files WHERE collection_id = ? AND file_id IN (SELECT value FROM json_each(?))",
        (collection_id, as_json(file_ids)),
    )


def _free_name(connection: Connection, name: str, *, own_id: int = 0) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise LibraryError(f"A collection's name has 1 to {MAX_NAME_LENGTH} characters.", "Choose another name.")
    taken = connection.exec_driver_sql(
        "SELECT 1 FROM collections WHERE name = ? COLLATE NOCASE AND id <> ?", (name, own_id)
    ).first()
    if taken is not None:
        raise LibraryError(f"There is a collection named {name} already.", "Choose another name.")
    return name


def _refuse_unknown(connection: Connection, collection_id: int) -> None:
    if connection.exec_driver_sql("SELECT 1 FROM collections WHERE id = ?", (collection_id,)).first() is None:
        raise LibraryError("The collection is no longer there.", "Choose another one.")
