"""Prints everything that this room measures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core.encoders.load import load_dual_encoder, load_relevance
from core.encoders.protocol import DualEncoder
from core.encoders.relevance import Relevance
from core.search.engine import RELEVANCE_CUT
from core.types import FloatArray
from training.assess.absent import AS_SENTENCE, claim_figures, read_absent, truly_absent
from training.assess.confusion import confusion, plot_confusion
from training.assess.example import example_figures
from training.assess.moment import KINDS, make_scenes, moment_figures
from training.assess.negative import negative_figures, read_negatives
from training.assess.question import Question, precision_by_kind, read_questions
from training.calibrate import kept_matches, log_odds_of, same_category, same_concept
from training.data.manifest import Clip, read_manifest
from training.evaluate import caption_queries
from training.measure import EncoderEmbedder

NOT_TAKES = ("fredbuhl/EmoGator",)
"""Sources whose groups are one person's different sounds, not takes of one sound."""
_SCENES = 200


def assess(model: Path, data: Path, console: Console, *, picture: Path | None = None) -> None:
    """Measure a model on the test split of a corpus and print a table.

    Args:
        model: Folder of the model.
        data: Folder of the corpus.
        console: Where it is printed.
        picture: Gets a picture of the kinds of sound that are taken for one another.
    """
    encoder = load_dual_encoder(model, device="cpu")
    embedder = EncoderEmbedder(encoder)
    clips = [clip for clip in read_manifest(data) if clip.split == "test"]
    sounds = embedder.sounds(clips)
    if picture is not None:
        queries = caption_queries(clips)
        plot_confusion(confusion(embedder.texts(queries.texts) @ sounds.T, queries.carried, clips), picture)
    table = Table("what", "figure", "over", title=encoder.card.id)

    questions = read_questions()
    relevance = load_relevance(model)
    typed = log_odds_of(relevance, embedder.texts([question.text for question in questions]), sounds)
    for kind, share in precision_by_kind(typed, questions, clips).items():
        table.add_row(f"questions of the kind {kind}: precision@5", f"{share:.1%}", _count(questions, kind))

    _negatives(table, embedder, sounds, clips, relevance)
    _claims(table, embedder, sounds, clips, relevance)
    _moments(table, encoder, clips, relevance)

    examples = example_figures(encoder, sounds, clips, relevance=relevance, without_sources=NOT_TAKES)
    for name, found in {"as it is": examples.found, **examples.changed}.items():
        table.add_row(f"another take in the first five, example {name}", f"{found:.1%}", f"{examples.examples} clips")
    console.print(table)


def _moments(table: Table, encoder: DualEncoder, clips: Sequence[Clip], relevance: Relevance) -> None:
    for kind in KINDS:
        scenes = make_scenes(clips, count=_SCENES, rate_hz=encoder.card.sample_rate_hz, kind=kind)
        moments = moment_figures(encoder, scenes, relevance)
        over = f"{moments.questions} questions, {moments.events:.1f} events a scene"
        for name, share in moments.shares().items():
            table.add_row(f"moments, scenes {kind}: {name}", f"{share:.1%}", over)


def _count(questions: Sequence[Question], kind: str) -> str:
    return f"{sum(question.kind == kind for question in questions)} questions"


def _negatives(
    table: Table, embedder: EncoderEmbedder, sounds: FloatArray, clips: Sequence[Clip], relevance: Relevance
) -> None:
    cases = read_negatives()
    for least, where in ((0.0, "the first ten"), (RELEVANCE_CUT, "the first ten that are shown as matches")):
        found = negative_figures(cases, embedder.texts, sounds, clips, relevance, least_relevance=least)
        over = f"{found.cases} of {len(cases)} cases"
        table.add_row(f"negatives: nothing of it left in {where}", f"{found.moved:.1%}", over)
        table.add_row(f"negatives: what is meant stays in {where}", f"{found.kept:.1%}", over)
        table.add_row(f"negatives: meant clips in {where}, without it", f"{found.found_plain:.1%}", over)
        table.add_row(f"negatives: meant clips in {where}, with it", f"{found.found:.1%}", over)


def _claims(
    table: Table, embedder: EncoderEmbedder, sounds: FloatArray, clips: Sequence[Clip], relevance: Relevance
) -> None:
    queries = caption_queries(clips)
    captions = log_odds_of(relevance, embedder.texts(queries.texts), sounds)
    kept = kept_matches(captions, same_concept(clips, queries))
    table.add_row("matches in the first five that are claimed", f"{kept:.1%}", f"{len(queries.texts)} captions")
    absent = [sound.text for sound in truly_absent(read_absent(), clips)]
    sentences = [AS_SENTENCE.format(text) for text in absent]
    asked = {
        "absent sound": claim_figures(log_odds_of(relevance, embedder.texts(absent), sounds)),
        "absent sound, as a sentence": claim_figures(log_odds_of(relevance, embedder.texts(sentences), sounds)),
        "caption without the clips of its category": claim_figures(captions, left_out=same_category(clips, queries)),
    }
    for what, found in asked.items():
        over = f"{found.questions} questions"
        table.add_row(f"{what}: answers that claim a match", f"{found.answers:.1%}", over)
        table.add_row(f"{what}: questions with such an answer", f"{found.answered:.1%}", over)
