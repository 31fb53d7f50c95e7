"""What the user hangs on files: tags, ratings and favourites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.catalogue.bulk import as_json
from core.catalogue.catalogue import Catalogue
from core.catalogue.text import refresh_metadata
from core.errors import LibraryError
from core.types import IntArray

MAX_TAG_LENGTH = 100
HIGHEST_RATING = 5

_CHOSEN = "IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag and how many files carry it; missing files do not count."""

    name: str
    files: int


def tag_counts(catalogue: Catalogue) -> list[TagCount]:
    """All tags by name."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT t.name, count(f.id) FROM tags t LEFT JOIN file_tags x ON x.tag_id = t.id "
            "LEFT JOIN files f ON f.id = x.file_id AND f.state <> 'missing' "
            "GROUP BY t.id ORDER BY t.name COLLATE NOCASE"
        ).fetchall()
    return [TagCount(name, count) for name, count in rows]


def add_tag(session: Session, file_ids: Sequence[int] | IntArray, name: str) -> None:
    """Hang a tag on files; upper and lower case make no new tag, the first spelling stays.

    Raises:
        LibraryError: The name is empty or too long.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_TAG_LENGTH:
        raise LibraryError(f"A tag has 1 to {MAX_TAG_LENGTH} characters.", "Choose another name.")
    connection = session.connection()
    known = connection.exec_driver_sql("SELECT id FROM tags WHERE name = ? COLLATE NOCASE", (name,)).scalar()
    if known is None:
        known = connection.exec_driver_sql("INSERT INTO tags (name) VALUES (?)", (name,)).lastrowid
    connection.exec_driver_sql(
        f"INSERT OR IGNORE INTO file_tags (file_id, tag_id) SELECT id, ? FROM files WHERE id {_CHOSEN}",
        (known, as_json(file_ids)),
    )
    refresh_metadata(connection, [int(file_id) for file_id in file_ids])


def remove_tag(session: Session, file_ids: Sequence[int] | IntArray, name: str) -> None:
    """Take a tag off files; one that nothing carries any more is forgotten."""
    connection = session.connection()
    connection.exec_driver_sql(
        "DELETE FROM file_tags WHERE tag_id IN (SELECT id FROM tags WHERE name = ? COLLATE NOCASE) "
        f"AND file_id {_CHOSEN}",
        (name, as_json(file_ids)),
    )
    connection.exec_driver_sql(
        "DELETE FROM tags WHERE name = ? COLLATE NOCASE AND id NOT IN (SELECT tag_id FROM file_tags)", (name,)
    )
    refresh_metadata(connection, [int(file_id) for file_id in file_ids])


def set_rating(session: Session, file_ids: Sequence[int] | IntArray, rating: int) -> None:
    """Give files 1 to 5 stars, or none.

    Raises:
        ValueError: It is no such number.
    """
    if not 0 <= rating <= HIGHEST_RATING:
        raise ValueError(f"a rating is 0 to {HIGHEST_RATING}, not {rating}")
    session.connection().exec_driver_sql(f"UPDATE files SET rating = ? WHERE id {_CHOSEN}", (rating, as_json(file_ids)))


def set_favourite(session: Session, file_ids: Sequence[int] | IntArray, is_favourite: bool) -> None:
    """Make files favourites, or plain ones again."""
    session.connection().exec_driver_sql(
        f"UPDATE files SET is_favourite = ? WHERE id {_CHOSEN}", (is_favourite, as_json(file_ids))
    )
