"""Commands for captioners: `perturb`, `caption-sheet`, and the figures of a finished model."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from core.audio.frontend import PASST_LOG_MEL
from core.audio.mel_stream import MelBank
from core.audio.mono import read_mono
from core.captioning.card import OrderFit
from core.captioning.prefixed import PrefixedCaptionDecoder
from core.captioning.protocol import CaptionDecoder
from core.captioning.shipped import load_captioner
from core.captioning.vocabulary import Vocabulary
from core.captioning.writer import CaptionWriter
from core.encoders.load import card_kind
from training.captioning.config import CaptioningRecipe
from training.captioning.evaluate import LossRetrieval, fluency, retrieval_by_loss
from training.captioning.export import CAPTIONER, CaptionerReport
from training.captioning.export import report as report_captions
from training.captioning.material import CaptionMaterial, gather
from training.captioning.order import OrderedLoss
from training.captioning.order_judge import TOP, ask_both, fit_on_validation, tell_scenes
from training.captioning.run import open_run
from training.captioning.score import WordLoss
from training.data.dataset import Clip
from training.data.storage import replace_file
from training.perturb import PAPER, Accuracy, Reranking, accuracies, rerank
from training.recipe import RECIPE_FILE, RecipeError, load_any, recipe_path
from training.retrieval.encoder import Places
from training.sheet import spectrogram_png
from training.start import read_class_names

_SHIPPED_RECIPE = "earshot-captioner"
_METRICS = ("bleu_1", "bleu_4", "rouge_l", "meteor", "cider_d", "spice", "spider", "sbert_sim")
WORDS_ALONE = "loss of the words"
WITH_ORDER = "loss of the words and their order"
_console = Console()

Data = Annotated[Path, typer.Option(envvar="EARSHOT_CORPUS", help="Folder of the data set.")]
Cache = Annotated[Path, typer.Option(envvar="EARSHOT_CACHE", help="Where features are kept between runs.")]
Weights = Annotated[Path, typer.Option(envvar="EARSHOT_WEIGHTS", help="Folder of published checkpoints.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads to compute with.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL|RUN", help="Folder of a captioner, or of a captioning run.")]


@dataclass(frozen=True, slots=True)
class Opened:
    """A captioner of a model folder or of a run, and the clips that it is measured on."""

    recipe: CaptioningRecipe
    places: Places
    material: CaptionMaterial
    decoder: CaptionDecoder
    vocabulary: Vocabulary
    writer: CaptionWriter | None
    order: OrderFit | None = None


def open_captioner(folder: Path, places: Places) -> Opened:
    """A model folder, measured on the clips of the recipe that makes it, or a run on its own.

    Raises:
        KnownError: There is neither, or something is missing.
    """
    if (folder / RECIPE_FILE).is_file():
        task = open_run(folder, places)
        return Opened(task.recipe, places, task.material, task.decoder, task.material.vocabulary, None)
    if card_kind(folder) != "captioner":
        raise RecipeError(f"{folder} holds no captioner and no run of one.")
    recipe = load_any(recipe_path(_SHIPPED_RECIPE))
    assert isinstance(recipe, CaptioningRecipe)  # The project's own file.
    captioner = load_captioner(folder, device="cpu")
    writer = captioner.writer
    material = gather(recipe, places, scenes=False, head=writer.head)
    return Opened(recipe, places, material, writer.decoder, writer.vocabulary, writer, captioner.card.order)


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """What a captioner notices of order, by one way to judge.

    Attributes:
        accuracies: By test (see `training.perturb.PAPER`).
        reranking: Of scene queries; None where the decoder has no embeddings to search with.
    """

    accuracies: Mapping[str, Accuracy]
    reranking: Reranking | None


def order_figures(opened: Opened, *, split: str = "test", top: int = TOP) -> dict[str, OrderFigures]:
    """Perturbation accuracies, and re-ranking the search model's best scenes, on scenes of a split's clips.

    Returns:
        By the loss of the words alone, as in the paper; and with that of their order where the decoder has a prefix.
    """
    told = tell_scenes(opened.recipe, opened.places, opened.material, split)
    words = WordLoss(opened.decoder, opened.vocabulary, told.made.sounds)
    if not isinstance(opened.decoder, PrefixedCaptionDecoder):
        return {WORDS_ALONE: OrderFigures(accuracies(words, told.tests), None)}
    parts = opened.recipe, opened.material, opened.decoder, opened.vocabulary
    fit = opened.order
    if fit is None or fit.is_outdated:
        fit = fit_on_validation(opened.recipe, opened.places, *parts[1:])
    known = ask_both(told, *parts)
    return {
        name: OrderFigures(accuracies(loss, told.tests), rerank(loss, told.captions, known.scores, top=top))
        for name, loss in ((WORDS_ALONE, words), (WITH_ORDER, OrderedLoss(known.witness, fit)))
    }


def perturb_command(
    model: Model,
    data: Data,
    split: Annotated[str, typer.Option(help="Whose clips the scenes are made of: valid or test.")] = "test",
    weights: Weights = Path("weights"),
    cache: Cache = Path("cache"),
    threads: Threads = 1,
) -> None:
    """Replace and Invert: does a captioner notice when the words tell another order than the sound?"""
    torch.set_num_threads(threads)
    opened = open_captioner(model, Places(data, weights, cache, model.resolve().parent))
    print_order(_console, order_figures(opened, split=split))


def print_order(console: Console, figures: Mapping[str, OrderFigures]) -> None:
    """Accuracies beside those of the paper, and the re-ranking."""
    table = Table("test", "captions", *figures, "Labbe et al. 2023, table 5 (Clotho)")
    for name, accuracy in figures[WORDS_ALONE].accuracies.items():
        found = [f"{own.accuracies[name].share:.3f}" for own in figures.values()]
        table.add_row(name, str(accuracy.captions), *found, f"{PAPER[name]:.3f}" if name in PAPER else "")
    console.print(table)
    for name, own in figures.items():
        if own.reranking is not None:
            again = own.reranking
            console.print(
                f"{again.queries} scene queries: R@1 {again.before:.3f} by the search model; its best ones in the "
                f"order of {name}: {again.after:.3f}; {again.reachable:.3f} have their scene among these."
            )


def evaluate_captioner(folder: Path, places: Places, texts: Path, *, retrieval: bool, console: Console) -> None:
    """Print a finished captioner's figures beside the baselines'.

    Args:
        folder: Of the model.
        places: Where the material lies.
        texts: Folder with the class names.
        retrieval: Also retrieval by the loss, with every caption of the test split; some ten minutes on one core.
        console: Where to.
    """
    opened = open_captioner(folder, places)
    if opened.writer is None:
        raise RecipeError(f"{folder} is a run and no model.", "Export it first.")
    card = load_captioner(folder).card
    found = report_captions(opened.writer, card.confidence, opened.material, read_class_names(texts))
    print_captions(console, found)
    print_order(console, order_figures(opened))
    if retrieval:
        rows = opened.material.rows("test")
        print_retrieval(console, retrieval_by_loss(opened.decoder, opened.vocabulary, opened.material, rows))


def print_captions(console: Console, found: CaptionerReport) -> None:
    """Metrics of the captions and of the baselines, and what can be counted."""
    names = [name for name in _METRICS if name in found.reports[CAPTIONER].scores]
    table = Table("captions", *names, "distinct words")
    for name, own in found.reports.items():
        table.add_row(name, *(f"{own.scores[metric].corpus:.4f}" for metric in names), str(own.vocabulary))
    console.print(table)
    counted = fluency(found.told.texts)
    sure = found.confidences >= found.threshold
    console.print(
        f"{counted.repeating} captions repeat a content word, {counted.unfinished} are unfinished; "
        f"{counted.words} distinct words, {counted.sentences} distinct captions."
    )
    shares = [float(found.says_so[part].mean()) if part.any() else 0.0 for part in (sure, ~sure)]
    console.print(
        f"{sure.mean():.1%} are shown as sentences, of which {shares[0]:.1%} say what a reference says; "
        f"of the others {shares[1]:.1%}."
    )


def print_retrieval(console: Console, found: LossRetrieval) -> None:
    """Recalls of retrieval by the loss."""
    table = Table("by the loss", "R@1", "R@5", "R@10")
    for name, recalls in (
        ("text to audio", found.text_to_audio),
        ("audio to text", found.audio_to_text),
        ("audio to text, min-max scaled", found.audio_to_text_scaled),
    ):
        table.add_row(name, *(f"{recall:.3f}" for recall in recalls))
    console.print(table)


def sheet_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a captioner.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="The HTML file.")],
    count: Annotated[int, typer.Option(min=1, help="Clips, drawn from the split.")] = 100,
    split: Annotated[str, typer.Option(help="Which clips: valid or test.")] = "test",
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    threads: Threads = 1,
) -> None:
    """Clips with their spectrogram, their own captions and the captioner's, on one HTML page."""
    from training.data.layout import load_dataset

    torch.set_num_threads(threads)
    clips = load_dataset(data).split(split)
    drawn = np.random.default_rng(seed).permutation(len(clips))[:count]
    write_caption_sheet(model, [clips[int(row)] for row in sorted(drawn)], out)
    _console.print(f"{min(count, len(clips))} clips in {out}.", markup=False)


def write_caption_sheet(model: Path, clips: Sequence[Clip], out: Path) -> None:
    """Write the page; the pictures are inside it, the sounds are not."""
    captioner, bank = load_captioner(model, device="cpu"), MelBank(PASST_LOG_MEL)
    rows: list[str] = []
    for clip in clips:
        guess = captioner.caption(clip.path)
        samples = read_mono(clip.path, sample_rate_hz=PASST_LOG_MEL.sample_rate_hz)
        picture = base64.b64encode(spectrogram_png(samples, bank)).decode()
        own = "".join(f"<li>{html.escape(text)}</li>" for text in clip.captions)
        shown = "sentence" if guess.is_sure else "tags"
        rows.append(
            f'<tr><td><img src="data:image/png;base64,{picture}" alt="spectrogram" height="96"><br>'
            f"{html.escape(clip.id)}, {clip.duration_s:.1f} s</td><td><ul>{own}</ul></td>"
            f"<td><b>{html.escape(guess.text)}</b><br>{guess.confidence:.0%}, shown as {shown}<br>"
            f"<i>{html.escape(', '.join(guess.tags))}</i></td></tr>"
        )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Captions</title>'
        "<style>body{font:14px sans-serif;margin:2em}"
        "td{vertical-align:top;padding:.5em;border-top:1px solid #ccc}</style>"
        f"<h1>{html.escape(captioner.card.id)}: {len(clips)} clips</h1>"
        "<table><tr><th>Sound</th><th>Its captions</th><th>The captioner</th></tr>"
        + "".join(rows)
        + "</table></html>\n"
    )
    replace_file(out, lambda part: part.write_text(page, encoding="utf-8"))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("perturb")(perturb_command)
    app.command("caption-sheet")(sheet_command)
