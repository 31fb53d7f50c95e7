"""The training-free scores that training starts from and learns from.

Shape legend: n sounds, q texts, c AudioSet classes, s sentence embedding, d joint embedding.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.errors import KnownError
from core.types import FloatArray

CLASS_LABELS_FILE = "audioset_class_labels_indices.csv"


class TextDataError(KnownError):
    """A file of the text folder is missing or damaged."""


def read_class_names(folder: Path) -> list[str]:
    """The AudioSet classes in the order of a tagger's outputs.

    Raises:
        TextDataError: The file is missing or has no names.
    """
    return _read_column(folder / CLASS_LABELS_FILE, "display_name")


def read_captions(path: Path) -> list[str]:
    """The distinct texts in the column "caption" of a CSV file.

    Raises:
        TextDataError: The file is missing or has no such column.
    """
    return list(dict.fromkeys(_read_column(path, "caption")))


def _read_column(path: Path, column: str) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [row[column] for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise TextDataError(f"{path} cannot be read: {error!r}.", "Give the folder of texts with --texts.") from error


def text_profile(sentence: Tensor, class_names: Tensor, *, temperature: float) -> Tensor:
    """What texts say of the classes: softmax over cosines, (q, s), (c, s) -> (q, c)."""
    return torch.softmax(sentence @ class_names.T / temperature, dim=-1)


def training_free_scores(text_profiles: Tensor, logits: Tensor) -> Tensor:
    """Class probabilities of sounds, weighted by what the text says of the classes: (q, c), (n, c) -> (q, n)."""
    scores: Tensor = text_profiles @ logits.sigmoid().T
    return scores


def one_vector_scores(sentence: Tensor, class_names: Tensor, logits: Tensor) -> Tensor:
    """The other training-free score, one dot product: the sound as the weighted mean of class names' embeddings."""
    sound = logits.sigmoid() @ class_names
    scores: Tensor = sentence @ (sound / sound.norm(dim=-1, keepdim=True)).T
    return scores


def profile_basis(profiles: FloatArray, dimension: int) -> FloatArray:
    """The d directions in which texts' class profiles differ most, orthonormal: (q, c) -> (c, d).

    Every class by itself counts as some texts more, so that none is forgotten that no text asks for.
    """
    classes = profiles.shape[1]
    rows = np.concatenate([profiles, 3.0 * np.eye(classes, dtype=np.float32)]).astype(np.float64)
    # Eigenvectors of the c x c matrix are the right singular vectors, without the tall decomposition.
    values, vectors = np.linalg.eigh(rows.T @ rows)
    basis = vectors[:, np.argsort(-values)[:dimension]]
    # The sign of an eigenvector is arbitrary; fixing it makes runs on different machines alike.
    signs = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(dimension)])
    return np.asarray(basis * signs, dtype=np.float32)
