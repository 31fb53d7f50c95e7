"""Questions to be asked again: those with a name, and the latest ones."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.catalogue.catalogue import Catalogue
from core.errors import LibraryError

MAX_NAME_LENGTH = 200
MOST_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A question with a name; `query_json` is what `core.search.query.QuerySpec.to_json` made."""

    id: int
    name: str
    query_json: str


def list_saved_searches(catalogue: Catalogue) -> list[SavedSearch]:
    """All of them by name."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute("SELECT id, name, query_json FROM saved_searches ORDER BY name COLLATE NOCASE").fetchall()
    return [SavedSearch(*row) for row in rows]


def save_search(session: Session, name: str, query_json: str) -> int:
    """Keep a question under a name; one that has the name is replaced. Gives its id.

    Raises:
        LibraryError: The name is empty or too long.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise LibraryError(f"The name of a search has 1 to {MAX_NAME_LENGTH} characters.", "Choose another name.")
    connection = session.connection()
    connection.exec_driver_sql(
        "INSERT INTO saved_searches (name, query_json, added_at) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET query_json = excluded.query_json",
        (name, query_json, time.time()),
    )
    return int(connection.exec_driver_sql("SELECT id FROM saved_searches WHERE name = ?", (name,)).scalar_one())


def delete_saved_search(session: Session, search_id: int) -> None:
    """Forget a named question."""
    session.connection().exec_driver_sql("DELETE FROM saved_searches WHERE id = ?", (search_id,))


def latest_searches(catalogue: Catalogue, limit: int) -> list[str]:
    """The latest different questions, the last one first, as JSON."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT query_json FROM remembered_searches ORDER BY id DESC LIMIT ?", (limit,)
        ).fetchall()
    return [row[0] for row in rows]


def remember_search(session: Session, query_json: str) -> None:
    """Make a question the latest one; the oldest are forgotten beyond `MOST_REMEMBERED`."""
    connection = session.connection()
    connection.exec_driver_sql("DELETE FROM remembered_searches WHERE query_json = ?", (query_json,))
    connection.exec_driver_sql("INSERT INTO remembered_searches (query_json) VALUES (?)", (query_json,))
    connection.exec_driver_sql(
        "DELETE FROM remembered_searches WHERE id NOT IN (SELECT id FROM remembered_searches ORDER BY id DESC LIMIT ?)",
        (MOST_REMEMBERED,),
    )


def forget_searches(session: Session) -> None:
    """Forget all questions that have no name."""
    session.connection().exec_driver_sql("DELETE FROM remembered_searches")
