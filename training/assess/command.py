"""Prints everything that this room measures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from core.encoders.load import load_dual_encoder, load_relevance
from training.assess.example import example_figures
from training.assess.moment import make_scenes, moment_figures
from training.assess.negative import moved_away, negative_cases
from training.assess.question import Question, precision_by_kind, read_questions
from training.data.manifest import read_manifest
from training.evaluate import caption_queries
from training.measure import EncoderEmbedder

NOT_TAKES = ("fredbuhl/EmoGator",)
"""Sources whose groups are one person's different sounds, not takes of one sound."""
_SCENES = 60


def assess(model: Path, data: Path, console: Console) -> None:
    """Measure a model on the test split of a corpus and print a table.

    Args:
        model: Folder of the model.
        data: Folder of the corpus.
        console: Where it is printed.
    """
    encoder = load_dual_encoder(model, device="cpu")
    embedder = EncoderEmbedder(encoder)
    clips = [clip for clip in read_manifest(data) if clip.split == "test"]
    sounds = embedder.sounds(clips)
    table = Table("what", "figure", "over", title=encoder.card.id)

    questions = read_questions()
    typed = embedder.texts([question.text for question in questions])
    for kind, share in precision_by_kind(typed @ sounds.T, questions, clips).items():
        table.add_row(f"questions of the kind {kind}: precision@5", f"{share:.1%}", _count(questions, kind))

    queries = caption_queries(clips)
    vectors = embedder.texts(queries.texts)
    cases = negative_cases(np.asarray(vectors @ sounds.T), queries, clips)
    share = moved_away(cases, vectors, sounds, queries, clips, load_relevance(model))
    table.add_row("negatives: nothing of it left in the first ten", f"{share:.1%}", f"{len(cases)} cases")

    scenes = make_scenes(clips, count=_SCENES, rate_hz=encoder.card.sample_rate_hz)
    moments = moment_figures(encoder, scenes)
    table.add_row("moments: best window overlaps", f"{moments.window:.1%}", f"{moments.questions} questions")
    table.add_row("moments: peak lies inside", f"{moments.peak:.1%}", f"{moments.questions} questions")

    examples = example_figures(encoder, sounds, clips, without_sources=NOT_TAKES)
    for name, found in {"as it is": examples.found, **examples.changed}.items():
        table.add_row(f"another take in the first five, example {name}", f"{found:.1%}", f"{examples.examples} clips")
    console.print(table)


def _count(questions: Sequence[Question], kind: str) -> str:
    return f"{sum(question.kind == kind for question in questions)} questions"
