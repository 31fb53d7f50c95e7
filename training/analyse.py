"""`python -m training analyse`: the language of caption sets side by side, with plots."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from core.types import FloatArray
from training.analysis.plot import plot_mtld_density, plot_mtld_violins, plot_word_cloud
from training.analysis.richness import CaptionSet, Richness, marking_words, richness
from training.analysis.topic import find_topics, plot_topics
from training.data.dataset import SPLITS, DataError, clean_captions
from training.data.layout import load_dataset
from training.data.storage import replace_file
from training.data.synthetic import is_synthetic, read_synthetic
from training.data.table import read_table
from training.data.word import split_words

_console = Console()
REPORT_FILE = "analysis.md"
FIGURES_FILE = "analysis.json"
_MARKING = 15


def read_captions(told: str, *, split: str | None = None) -> CaptionSet:
    """A set by what was typed: a path, or NAME=PATH.

    The path is a data set's folder or manifest, a file of synthetic captions, a CSV with a column "caption", or a text
    file with a caption a line. Rows of a CSV that agree in `youtube_id` and `start_time` are captions of one clip, as
    in AudioCaps' tables.

    Args:
        told: See above.
        split: Of a data set: only this one.

    Raises:
        DataError: It cannot be read or has no captions.
    """
    name, equals, place = told.partition("=")
    path = Path(place if equals else told)
    name = name if equals else path.stem or path.name
    if path.is_file() and path.suffix.lower() == ".csv":
        captions = _table_captions(read_table(path, columns=["caption"]))
    elif path.is_file() and path.suffix.lower() == ".txt":
        captions = [clean_captions([line]) for line in _text(path).split("\n")]
    elif is_synthetic(path):
        captions = [one.captions for one in read_synthetic(path).values()]
    else:
        dataset = load_dataset(path, exclude=["none"])
        captions = [clip.captions for clip in (dataset.clips if split is None else dataset.split(split))]
    kept = tuple(own for own in captions if own)
    if not any(split_words(caption) for own in kept for caption in own):
        raise DataError(f"There are no captions in {path}.")
    return CaptionSet(name, kept)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The captions {path} cannot be read: {error}.", "Save them as UTF-8.") from error


def _table_captions(rows: Sequence[Mapping[str, str]]) -> list[tuple[str, ...]]:
    told: dict[tuple[str, ...], list[str]] = {}
    for number, row in enumerate(rows):
        key = (row["youtube_id"], row["start_time"]) if {"youtube_id", "start_time"} <= set(row) else (str(number),)
        told.setdefault(key, []).append(row["caption"])
    return [clean_captions(own) for own in told.values()]


def analyse(sets: Sequence[CaptionSet], folder: Path) -> list[Richness]:
    """Write figures and plots of caption sets.

    `analysis.md` and `analysis.json`, `mtld-kde.png`, `mtld-violin.png`, and `words-NAME.png` for each set.

    Raises:
        KnownError: matplotlib or wordcloud is not installed, or there is no space.
        DataError: Two sets have the same name.
    """
    if len({_file_name(one.name) for one in sets}) < len(sets):
        raise DataError("Two of the sets have the same name.", "Name them: NAME=PATH.")
    found = [richness(one) for one in sets]
    plot_mtld_density(found, folder / "mtld-kde.png")
    plot_mtld_violins(found, folder / "mtld-violin.png")
    clouds = {
        one.name: plot_word_cloud(one, folder / f"words-{_file_name(one.name)}.png", number=number)
        for number, one in enumerate(found)
    }
    marking = {
        one.name: marking_words(
            one.frequencies, sum((other.frequencies for other in found if other is not one), Counter()), count=_MARKING
        )
        for one in found
    }
    content = {
        one.name: {"figures": one.figures(), "frequent": clouds[one.name], "marking": dict(marking[one.name])}
        for one in found
    }
    _write(folder / FIGURES_FILE, json.dumps(content, ensure_ascii=False, indent=1))
    _write(folder / REPORT_FILE, report(found, marking))
    return found


def report(sets: Sequence[Richness], marking: dict[str, list[tuple[str, float]]]) -> str:
    """The figures in Markdown."""
    figures = {one.name: one.figures() for one in sets}
    lines = [
        "# The language of captions",
        "",
        "| | " + " | ".join(figures) + " |",
        "| --- |" + " ---: |" * len(figures),
    ]
    for key in next(iter(figures.values())):
        lines.append(f"| {key} | " + " | ".join(_told(own[key]) for own in figures.values()) + " |")
    lines += ["", "![density of MTLD](mtld-kde.png)", "", "![MTLD](mtld-violin.png)", ""]
    for one in sets:
        lines += [f"## {one.name}", ""]
        if marking[one.name]:
            lines += ["Words that mark it: " + ", ".join(word for word, _ in marking[one.name]) + ".", ""]
        lines += [f"![frequent words](words-{_file_name(one.name)}.png)", ""]
    return "\n".join(lines)


def map_topics(sets: Sequence[CaptionSet], folder: Path, *, smallest: int = 15) -> None:
    """Write `topics-NAME.png` of each set.

    Raises:
        TopicError: BERTopic and UMAP are not installed, or there are too few captions.
    """
    for one in sets:
        captions = list(dict.fromkeys(one.sentences()))
        topics = find_topics(captions, _embed, smallest=smallest)
        plot_topics(topics, folder / f"topics-{_file_name(one.name)}.png", title=one.name)


def _embed(captions: Sequence[str]) -> FloatArray:
    """By the text half of the model that ships."""
    from core.encoders.load import find_model, load_dual_encoder

    return load_dual_encoder(find_model().folder, device="cpu").embed_text(captions)


def _told(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").lower() or "set"


def _write(path: Path, text: str) -> None:
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def analyse_command(
    sets: Annotated[list[str], typer.Argument(metavar="[NAME=]CAPTIONS...", help="Data sets, or files of captions.")],
    out: Annotated[Path, typer.Option(help="Folder for figures and plots.")],
    split: Annotated[str | None, typer.Option(help=f"Of data sets only this split: {', '.join(SPLITS)}.")] = None,
    topics: Annotated[bool, typer.Option(help="Draw topic maps, too (needs earshot[topics]).")] = False,
) -> None:
    """Compare the lexical richness of caption sets: MTLD, vocabulary, typical words, word clouds."""
    if split is not None and split not in SPLITS:
        raise typer.BadParameter(f"a split is one of {', '.join(SPLITS)}")
    read = [read_captions(told, split=split) for told in sets]
    for one in analyse(read, out):
        figures = one.figures()
        _console.print(
            f"{one.name}: {one.captions:,} captions, {one.vocabulary:,} words, MTLD {figures['MTLD mean']:.2f} "
            f"(deviation {figures['MTLD deviation']:.2f})",
            markup=False,
        )
    if topics:
        map_topics(read, out)
    _console.print(f"Written to {out / REPORT_FILE}.", markup=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("analyse")(analyse_command)
