"""`python -m training sheet`: what a model finds for queries, to look at and listen to, in one HTML file.

The file needs nothing beside it: style and spectrograms are inside, and it runs no script. Sounds stay where they are
and are referred to, relative to the sheet where they lie below its folder.
"""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from core.audio.frontend import PASST_LOG_MEL
from core.audio.mel_stream import MelBank, fast_log_mel
from core.audio.mono import read_mono
from core.encoders.load import load_dual_encoder
from core.encoders.protocol import DualEncoder
from core.errors import UnusableFileError
from core.types import FloatArray
from training.analysis.plot import PlotError
from training.data.dataset import SPLITS, Clip, DataError, Dataset
from training.data.storage import replace_file
from training.describe import Folder, LayoutName, open_dataset
from training.evaluate import CaptionQueries, caption_queries, corpus_figures

_COLUMNS = 260
_BINS = 64
_RANGE_DB = 70.0
_LONGEST_S = 30.0
_console = Console()

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:24px;color:#1c2127;background:#fff}
h1{font-size:20px}h2{font-size:16px;margin:28px 0 6px}p{margin:4px 0}.dim{color:#5a6472}
.found{display:flex;flex-wrap:wrap;gap:12px}.sound{width:270px;border:2px solid #d5dae0;border-radius:6px;padding:8px}
.fits{border-color:#2c8a4b}.picture{height:72px;background-size:100% 100%;background-color:#000;margin:6px 0}
audio{width:100%;height:32px}.file{font-size:11px;word-break:break-all;color:#5a6472}ul{margin:4px 0 0 16px;padding:0}
"""


@dataclass(frozen=True, slots=True)
class Find:
    """A sound at its rank.

    Attributes:
        clip: The sound.
        score: Its similarity to the query.
        fits: Whether it carries the query as a caption; None: nobody knows, the query is none of the captions.
    """

    clip: Clip
    score: float
    fits: bool | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A query and what was found.

    Attributes:
        query: The text.
        finds: Best first.
        first_fit: Rank of the first sound that fits, from 1; None where nobody knows.
    """

    query: str
    finds: tuple[Find, ...]
    first_fit: int | None


def embed_clips(
    encoder: DualEncoder,
    clips: Sequence[Clip],
    *,
    progress: Callable[[Sequence[Clip]], Iterator[Clip]] = iter,
) -> tuple[tuple[Clip, ...], FloatArray, tuple[str, ...]]:
    """Vectors of sounds.

    Returns:
        The n clips that can be read, their vectors (n, d), and a line for each that cannot.

    Raises:
        DataError: Not one can be read.
    """
    rate = encoder.card.sample_rate_hz
    read: list[Clip] = []
    vectors: list[FloatArray] = []
    broken: list[str] = []
    for clip in progress(clips):
        try:
            samples = read_mono(clip.path, sample_rate_hz=rate)[: round(_LONGEST_S * rate)]
            vectors.append(encoder.embed_audio([samples])[0])
            read.append(clip)
        except UnusableFileError as error:
            broken.append(f"{clip.id}: {error}")
    if not read:
        raise DataError("Not one sound could be read.", "Look at them with `python -m training describe --decode`.")
    return tuple(read), np.stack(vectors), tuple(broken)


def draw_queries(queries: CaptionQueries, *, count: int, seed: int) -> tuple[str, ...]:
    """Some of the captions, always the same for a seed."""
    rows = np.random.default_rng(seed).permutation(len(queries.texts))[:count]
    return tuple(queries.texts[int(row)] for row in rows)


def answer_queries(
    texts: Sequence[str], scores: FloatArray, clips: Sequence[Clip], queries: CaptionQueries, *, found: int
) -> tuple[Answer, ...]:
    """What is found.

    Args:
        texts: q of them.
        scores: (q, n).
        clips: n of them.
        queries: The captions that are known to fit.
        found: Sounds for each.
    """
    number = {text: row for row, text in enumerate(queries.texts)}
    answers: list[Answer] = []
    for text, own in zip(texts, scores, strict=True):
        order = np.argsort(-own, kind="stable")
        carried = queries.carried[number[text]] if text in number else None
        first = None if carried is None else int(np.flatnonzero(carried[order])[0]) + 1
        finds = tuple(
            Find(clips[row], float(own[row]), None if carried is None else bool(carried[row])) for row in order[:found]
        )
        answers.append(Answer(text, finds, first))
    return tuple(answers)


def spectrogram_png(samples: FloatArray, bank: MelBank) -> bytes:
    """A picture of a sound (n,) at 32 kHz: mel bins upwards, time to the right.

    Raises:
        PlotError: matplotlib is not installed.
    """
    try:
        from matplotlib.image import imsave
    except ImportError as error:
        raise PlotError(
            "Spectrograms need matplotlib, which is not installed.", "pip install earshot[train]"
        ) from error
    config = bank.config
    natural = fast_log_mel(bank, samples) * config.scale - config.offset
    level_db = natural * (10 / np.log(10))
    bins = level_db.reshape(len(level_db), _BINS, -1).mean(axis=2)
    edges = np.linspace(0, len(bins), min(_COLUMNS, len(bins)) + 1).astype(int)
    columns = np.stack([bins[begin:end].max(axis=0) for begin, end in pairwise(edges)])
    top = float(columns.max())
    file = io.BytesIO()
    imsave(file, columns.T, vmin=top - _RANGE_DB, vmax=top, cmap="magma", origin="lower", format="png")
    return file.getvalue()


def write_sheet(answers: Sequence[Answer], path: Path, *, title: str, lines: Sequence[str]) -> None:
    """Write the HTML file.

    Args:
        answers: What was found.
        path: Of the file.
        title: Its heading.
        lines: Told below it.

    Raises:
        StorageError: There is no space.
        PlotError: matplotlib is not installed.
    """
    bank = MelBank(PASST_LOG_MEL)
    numbers = {path_: number for number, path_ in enumerate(dict.fromkeys(_shown_files(answers)))}
    pictures = [
        f".p{number}{{background-image:url(data:image/png;base64,{base64.b64encode(_picture(file, bank)).decode()})}}"
        for file, number in numbers.items()
    ]
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>{_STYLE}{''.join(pictures)}</style></head><body>",
        f"<h1>{html.escape(title)}</h1>",
        *(f'<p class="dim">{html.escape(line)}</p>' for line in lines),
        *(_answer_html(answer, numbers, path.resolve().parent) for answer in answers),
        "</body></html>",
    ]
    content = "\n".join(parts)
    replace_file(path, lambda partial: partial.write_text(content, encoding="utf-8"))


def _shown_files(answers: Sequence[Answer]) -> list[Path]:
    return [find.clip.path for answer in answers for find in answer.finds]


def _picture(path: Path, bank: MelBank) -> bytes:
    rate = bank.config.sample_rate_hz
    return spectrogram_png(read_mono(path, sample_rate_hz=rate)[: round(_LONGEST_S * rate)], bank)


def _answer_html(answer: Answer, numbers: dict[Path, int], folder: Path) -> str:
    rank = (
        ""
        if answer.first_fit is None
        else f'<p class="dim">The first sound that carries it: rank {answer.first_fit}.</p>'
    )
    sounds = "".join(_find_html(place, find, numbers, folder) for place, find in enumerate(answer.finds, start=1))
    return f'<h2>{html.escape(answer.query)}</h2>{rank}<div class="found">{sounds}</div>'


def _find_html(place: int, find: Find, numbers: dict[Path, int], folder: Path) -> str:
    address, shown = _address(find.clip.path, folder)
    captions = "".join(f"<li>{html.escape(caption)}</li>" for caption in find.clip.captions)
    title = html.escape(find.clip.title or find.clip.id)
    return (
        f'<div class="sound{" fits" if find.fits else ""}"><b>{place}. {title}</b> '
        f'<span class="dim">{find.score:.3f}{", fits" if find.fits else ""}</span>'
        f'<div class="picture p{numbers[find.clip.path]}"></div>'
        f'<audio controls preload="none" src="{html.escape(address)}"></audio>'
        f'<div class="file">{html.escape(shown)}</div><ul>{captions}</ul></div>'
    )


def _address(path: Path, folder: Path) -> tuple[str, str]:
    """A link to a file, and how it is shown."""
    whole = path.resolve()
    if not whole.is_relative_to(folder):
        return whole.as_uri(), str(whole)
    relative = Path(os.path.relpath(whole, folder)).as_posix()
    return quote(relative), relative


def make_sheet(
    encoder: DualEncoder,
    dataset: Dataset,
    path: Path,
    *,
    split: str,
    queries: Sequence[str] = (),
    count: int = 20,
    found: int = 5,
    seed: int = 0,
    progress: Callable[[Sequence[Clip]], Iterator[Clip]] = iter,
) -> tuple[Answer, ...]:
    """Search a split and write what was found.

    Args:
        encoder: The model.
        dataset: Where to search.
        path: Of the HTML file.
        split: Which clips.
        queries: Texts; none: some of the split's captions.
        count: How many captions, where no texts are given.
        found: Sounds for each.
        seed: Chooses the captions.
        progress: Wraps the clips to show how far it is.

    Raises:
        DataError: The split is empty or cannot be read.
    """
    if not dataset.split(split):
        raise DataError(f"There are no clips of the split {split} in {dataset.name}.", "Choose another with --split.")
    clips, vectors, broken = embed_clips(encoder, dataset.split(split), progress=progress)
    known = caption_queries(clips)
    texts = tuple(queries) or draw_queries(known, count=count, seed=seed)
    answers = answer_queries(texts, encoder.embed_text(texts) @ vectors.T, clips, known, found=found)
    figures = corpus_figures(np.asarray(encoder.embed_text(known.texts) @ vectors.T), known).text_to_audio
    lines = [
        f"{len(clips)} sounds of {dataset.name}, split {split}; all {len(known.texts)} captions as queries: "
        f"mAP@10 {figures.map_at_10:.3f}.",
        "A green frame: the sound carries the query as a caption. Others may fit, too.",
        *(f"Left out: {line}" for line in broken),
    ]
    write_sheet(answers, path, title=f"{encoder.card.id} on {dataset.name}", lines=lines)
    return answers


def sheet_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.")],
    data: Folder,
    out: Annotated[Path, typer.Option(help="The HTML file.")],
    query: Annotated[list[str] | None, typer.Option(help="A text to search for; else captions are drawn.")] = None,
    split: Annotated[str, typer.Option(help=f"Which clips: {', '.join(SPLITS)}.")] = "test",
    count: Annotated[int, typer.Option(min=1, help="Captions drawn as queries.")] = 20,
    found: Annotated[int, typer.Option(min=1, max=50, help="Sounds shown for each.")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    layout: LayoutName = "auto",
) -> None:
    """Write a sheet of queries with the sounds that a model finds, their spectrograms and captions."""
    if split not in SPLITS:
        raise typer.BadParameter(f"a split is one of {', '.join(SPLITS)}")
    dataset = open_dataset(data, layout, None, None, ["none"])
    encoder = load_dual_encoder(model)
    answers = make_sheet(
        encoder,
        dataset,
        out,
        split=split,
        queries=query or (),
        count=count,
        found=found,
        seed=seed,
        progress=lambda clips: iter(track(clips, description="sounds", transient=True, console=_console)),
    )
    _console.print(f"{len(answers)} queries in {out}.", markup=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sheet")(sheet_command)
