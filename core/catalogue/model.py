"""The models of which a library holds embeddings."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.catalogue.models import Embedding, EmbeddingModel, Window


def stored_model_ids(session: Session) -> tuple[str, ...]:
    """Ids of all models, oldest first."""
    return tuple(session.scalars(select(EmbeddingModel.id).order_by(EmbeddingModel.added_at, EmbeddingModel.id)))


def remove_model(session: Session, model_id: str) -> None:
    """Delete all that a model made, for example when another has taken over; windows that nobody uses go too."""
    session.execute(delete(EmbeddingModel).where(EmbeddingModel.id == model_id))
    session.execute(delete(Window).where(Window.id.not_in(select(Embedding.window_id))))
