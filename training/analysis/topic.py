"""A map of what captions are about: BERTopic's topics on UMAP's plane (Tymofieiev 2025, figure 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import KnownError
from core.types import FloatArray, IntArray
from training.analysis.plot import new_figure, save_figure
from training.data.word import FUNCTION_WORDS

_SHOWN = 25
_WORDS = 3
_LEAST_CAPTIONS = 50
_SEED = 0
Embed = Callable[[Sequence[str]], FloatArray]


class TopicError(KnownError):
    """A topic map cannot be made."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics of n captions.

    Attributes:
        names: Of each topic, by its first words; the most frequent first.
        sizes: Captions of each.
        of_caption: (n,) topic of each caption, -1: none.
        plane: (n, 2) where each caption lies.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    of_caption: IntArray
    plane: FloatArray


def find_topics(captions: Sequence[str], embed: Embed, *, smallest: int = 15) -> Topics:
    """Group captions by meaning.

    Args:
        captions: n different ones.
        embed: Texts -> (n, d).
        smallest: Captions that make a topic, at least.

    Raises:
        TopicError: The packages are not installed, or there are too few captions.
    """
    if len(captions) < _LEAST_CAPTIONS:
        raise TopicError(f"{len(captions)} captions are too few for topics.", f"It takes {_LEAST_CAPTIONS} or more.")
    try:
        from bertopic import BERTopic
        from umap import UMAP
    except ImportError as error:
        raise TopicError(
            f"The topic map needs BERTopic and UMAP, which are not installed ({error}).",
            "Install them: pip install earshot[topics].",
        ) from error
    embeddings = np.asarray(embed(captions), dtype=np.float32)
    near = min(15, len(captions) - 1)
    space = UMAP(n_neighbors=near, n_components=5, min_dist=0.0, metric="cosine", random_state=_SEED, n_jobs=1)
    model = BERTopic(embedding_model=None, umap_model=space, min_topic_size=smallest, calculate_probabilities=False)
    numbers, _ = model.fit_transform(list(captions), embeddings=embeddings)
    plane = UMAP(n_neighbors=near, n_components=2, metric="cosine", random_state=_SEED, n_jobs=1)
    of_caption = np.asarray(numbers, dtype=np.int64)
    found = list(range(int(of_caption.max(initial=-1)) + 1))
    names = tuple(_named([word for word, _ in model.get_topic(number)]) for number in found)
    sizes = tuple(int((of_caption == number).sum()) for number in found)
    return Topics(names, sizes, of_caption, np.asarray(plane.fit_transform(embeddings), dtype=np.float32))


def _named(words: Sequence[str]) -> str:
    """A topic's name: its first words that say something, of those that BERTopic gives."""
    telling = [word for word in words if len(word) > 1 and word not in FUNCTION_WORDS]
    return ", ".join((telling or list(words))[:_WORDS])


def plot_topics(topics: Topics, path: Path, *, title: str) -> None:
    """The plane with the 25 largest topics in colour, numbered at their middle and named beside it."""
    figure = new_figure(width=12, height=8)
    axes = figure.add_subplot()
    from matplotlib import colormaps

    shown = sorted(range(len(topics.names)), key=lambda number: -topics.sizes[number])[:_SHOWN]
    rest = ~np.isin(topics.of_caption, shown)
    axes.scatter(topics.plane[rest, 0], topics.plane[rest, 1], s=3, color="#cccccc", linewidths=0)
    for place, number in enumerate(shown, start=1):
        points = topics.plane[topics.of_caption == number]
        shade = colormaps["turbo"](place / (len(shown) + 1))
        label = f"{place}  {topics.names[number]} ({topics.sizes[number]})"
        axes.scatter(points[:, 0], points[:, 1], s=6, color=shade, linewidths=0, label=label)
        x, y = (float(value) for value in np.median(points, axis=0))
        axes.annotate(str(place), (x, y), fontsize=9, ha="center", va="center", weight="bold")
    # A few captions lie far away from all others; the picture is of the rest.
    (left, low), (right, high) = np.percentile(topics.plane, (1, 99), axis=0)
    wide, tall = 0.08 * (right - left) + 1e-6, 0.08 * (high - low) + 1e-6
    axes.set(title=f"{title}: the largest {len(shown)} of {len(topics.names)} topics", xticks=[], yticks=[])
    axes.set(xlim=(left - wide, right + wide), ylim=(low - tall, high + tall))
    if shown:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, markerscale=3, frameon=False)
    save_figure(figure, path)
