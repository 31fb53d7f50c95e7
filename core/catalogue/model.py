"""The models of which a library holds embeddings."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.catalogue.catalogue import Catalogue
from core.catalogue.models import Embedding, EmbeddingModel, Window

_BATCH_ROWS = 5_000


def stored_model_ids(session: Session) -> tuple[str, ...]:
    """Ids of all models, oldest first."""
    return tuple(session.scalars(select(EmbeddingModel.id).order_by(EmbeddingModel.added_at, EmbeddingModel.id)))


def files_by_model(catalogue: Catalogue) -> dict[str, int]:
    """Number of embedded files by model; a model without any is absent."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute("SELECT model_id, count(*) FROM file_embeddings GROUP BY model_id").fetchall()
    return dict(rows)


def holds_files(catalogue: Catalogue) -> bool:
    """Whether the library knows any file."""
    with catalogue.cursor() as cursor:
        return cursor.execute("SELECT 1 FROM files LIMIT 1").fetchone() is not None


def files_left_behind(catalogue: Catalogue, *, old_id: str, new_id: str) -> int:
    """Files that can be reached and that only the older of two models has embedded."""
    with catalogue.cursor() as cursor:
        row = cursor.execute(
            "SELECT count(*) FROM file_embeddings o JOIN files f ON f.id = o.file_id JOIN roots r ON r.id = f.root_id "
            "WHERE o.model_id = ? AND f.state = 'ready' AND r.state = 'online' AND NOT EXISTS "
            "(SELECT 1 FROM file_embeddings n WHERE n.file_id = o.file_id AND n.model_id = ?)",
            (old_id, new_id),
        ).fetchone()
    return int(row[0])


def files_of_one_model(catalogue: Catalogue, model_id: str) -> int:
    """Files that no other model has embedded, wherever they are."""
    with catalogue.cursor() as cursor:
        row = cursor.execute(
            "SELECT count(*) FROM file_embeddings o WHERE o.model_id = ? AND NOT EXISTS "
            "(SELECT 1 FROM file_embeddings n WHERE n.file_id = o.file_id AND n.model_id <> ?)",
            (model_id, model_id),
        ).fetchone()
    return int(row[0])


def remove_model(session: Session, model_id: str) -> None:
    """Delete all that a model made, for example when another has taken over; windows that nobody uses go too."""
    session.execute(delete(EmbeddingModel).where(EmbeddingModel.id == model_id))
    session.execute(delete(Window).where(Window.id.not_in(select(Embedding.window_id))))


def remove_model_gently(catalogue: Catalogue, model_id: str) -> None:
    """The same in short transactions, between which others may write; broken off, it is to be called again."""
    removed = True
    while removed:
        with catalogue.write() as session:
            removed = bool(
                session.connection()
                .exec_driver_sql(
                    "DELETE FROM embeddings WHERE id IN (SELECT id FROM embeddings WHERE model_id = ? LIMIT ?)",
                    (model_id, _BATCH_ROWS),
                )
                .rowcount
            )
    with catalogue.write() as session:
        remove_model(session, model_id)
        # Nobody reads this index any more.
        session.connection().exec_driver_sql("DELETE FROM removed_embeddings WHERE model_id = ?", (model_id,))
