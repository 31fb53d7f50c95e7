"""What is left of the training's gain on a source of which nothing was learned?

The recipe is trained once as it is, and once more for every source in question without that source and without what
is a copy of one of its clips. The test clips of the source are then looked for among all test clips, by their captions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from core.types import FloatArray
from training.config import Recipe
from training.data.manifest import Clip
from training.evaluate import CaptionQueries, caption_queries
from training.material import Material, learned_clips
from training.metrics.retrieval import retrieval_figures
from training.run import embed_features, embed_sentences, load_run, train
from training.start import text_profile, training_free_scores
from training.tasks.profile import as_tensor

_WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """Test mAP@10 of the captions of one source's clips.

    Attributes:
        source: Its name.
        queries: How many captions.
        free: Without any training.
        whole: Trained as the recipe says.
        without: Trained without the source.
    """

    source: str
    queries: int
    free: float
    whole: float
    without: float

    @property
    def lost(self) -> float:
        """The share of the gain over the training-free score that is lost; no number where there was no gain."""
        gain = self.whole - self.free
        return (self.whole - self.without) / gain if gain > 0 else float("nan")


def leave_out(
    recipe: Recipe, material: Material, folder: Path, *, trunk_dimension: int, sources: int
) -> Iterator[SourceFigures]:
    """Train without each of the sources that have most test clips; finished runs in the folder are not run again.

    Args:
        recipe: What is trained.
        material: Gathered for it.
        folder: For the runs, a folder each.
        trunk_dimension: Of the features that tell copies.
        sources: How many.
    """
    rows = material.rows("test", recipe.data.held_out_sources)
    clips = [material.clips[row] for row in rows]
    queries = caption_queries(clips)
    sentences = as_tensor(material.sentences(queries.texts))
    profile = text_profile(sentences, material.class_names, temperature=recipe.head.temperature)
    free = training_free_scores(profile, as_tensor(material.features.take(rows).logits)).numpy()
    whole = _scores(recipe, material, folder / _WHOLE, rows, queries)
    for source in largest_sources(clips, sources):
        held_out = (*recipe.data.held_out_sources, source)
        learned = learned_clips(
            material.clips,
            material.features.embedding[:, :trunk_dimension],
            held_out=held_out,
            duplicate_similarity=recipe.data.duplicate_similarity,
        )
        data = recipe.data.model_copy(update={"held_out_sources": held_out})
        without = _scores(
            recipe.model_copy(update={"data": data}),
            replace(material, learned=learned),
            folder / re.sub(r"\W+", "-", source),
            rows,
            queries,
        )
        yield source_figures(source, clips, queries, free=free, whole=whole, without=without)


def largest_sources(clips: Sequence[Clip], count: int) -> list[str]:
    """The sources with most clips."""
    return [source for source, _ in Counter(clip.source for clip in clips).most_common(count)]


def source_figures(
    source: str,
    clips: Sequence[Clip],
    queries: CaptionQueries,
    *,
    free: FloatArray,
    whole: FloatArray,
    without: FloatArray,
) -> SourceFigures:
    """Figures of one source from three scores (q, n) of all test captions and clips."""
    own = np.asarray([clip.source == source for clip in clips])
    asked = queries.carried[:, own].any(axis=1)
    figures = [retrieval_figures(scores[asked], queries.carried[asked]).map_at_10 for scores in (free, whole, without)]
    return SourceFigures(source, int(asked.sum()), *figures)


def _scores(
    recipe: Recipe, material: Material, folder: Path, rows: Sequence[int], queries: CaptionQueries
) -> FloatArray:
    train(recipe, material, folder)
    _, audio, text = load_run(
        folder, trunk_dimension=material.features.embedding.shape[1], class_names=material.class_names
    )
    sounds = embed_features(audio, material.features.take(rows))
    return np.asarray(embed_sentences(text, material.sentences(queries.texts)) @ sounds.T)


def print_sources(console: Console, figures: Iterator[SourceFigures]) -> None:
    """A line for each source as soon as it is known, and a table in the end."""
    table = Table("source", "captions", "training-free", "trained", "without it", "of the gain lost")
    for found in figures:
        table.add_row(
            found.source,
            str(found.queries),
            *(f"{value:.3f}" for value in (found.free, found.whole, found.without)),
            f"{found.lost:.0%}",
        )
        console.print(f"{found.source}: {found.lost:.0%} of the gain lost")
    console.print(table)
