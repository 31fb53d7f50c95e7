"""Figures as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from training.export import Report
from training.measure import MODEL, Scoring


def print_report(console: Console, report: Report) -> None:
    """All figures: one row for each way to score."""
    table = Table("scoring", "mAP@10", "hit@1", "hit@5", "hit@10", "audio-to-text", "outside mAP", "outside accuracy")
    for name, scoring in report.scorings.items():
        forth, back = scoring.corpus.text_to_audio, scoring.corpus.audio_to_text
        figures = [forth.map_at_10, forth.hit_at_1, forth.hit_at_5, forth.hit_at_10, back.map_at_10]
        outside = [scoring.outside.mean_average_precision, scoring.outside.accuracy]
        table.add_row(name, *(f"{figure:.4f}" for figure in [*figures, *outside]))
    console.print(table)
    own = report.scorings[MODEL]
    console.print(
        f"Test split: {own.corpus.text_to_audio.queries} captions. "
        f"Outside: {own.outside.clips} clips of held-out sources."
    )
    if report.calibration is not None:
        found = report.calibration
        console.print(
            f"At a relevance of .5: {found.kept:.1%} of the true matches in the first five kept; "
            f"{found.false_claims:.1%} of the queries answered whose sound is absent; "
            f"{found.absurd_claims:.1%} of the absurd ones."
        )


def print_kinds(console: Console, scorings: Mapping[str, Scoring]) -> None:
    """mAP@10 on the test split for each kind of sound."""
    table = Table("kind", "queries", *scorings)
    for category, figures in scorings[MODEL].by_category.items():
        row = [f"{scoring.by_category[category].map_at_10:.3f}" for scoring in scorings.values()]
        table.add_row(category, str(figures.queries), *row)
    console.print(table)
