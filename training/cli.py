"""`python -m training`: from a data set on disk to a trained, measured, exported model."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

import training.analyse
import training.assess.everyday
import training.captioning.command
import training.decode
import training.describe
import training.sheet
import training.synthesise
from core.config import RESOURCES, user_models_folder
from core.encoders.card import read_card
from core.encoders.load import card_kind
from core.errors import KnownError
from training.checkpoint import FIGURES_FILE
from training.config import Identity, Recipe, load_recipe
from training.data.dataset import Clip
from training.distributed import processes, rank
from training.import_checkpoint import import_checkpoint
from training.recipe import RECIPE_FILE, RecipeError, load_any, recipe_names, recipe_path

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_console = Console()

Data = Annotated[Path, typer.Option(envvar="EARSHOT_CORPUS", help="Folder of the data set, or of several.")]
Texts = Annotated[
    Path | None, typer.Option(envvar="EARSHOT_TEXTS", help="Folder with class names and extra captions (earshot-base).")
]
Trunk = Annotated[
    Path | None, typer.Option(envvar="EARSHOT_TRUNK", help="Published checkpoint of the audio trunk (earshot-base).")
]
Sentences = Annotated[
    Path | None, typer.Option(envvar="EARSHOT_SENTENCES", help="Published folder of all-MiniLM-L6-v2 (earshot-base).")
]
Weights = Annotated[Path, typer.Option(envvar="EARSHOT_WEIGHTS", help="Folder of published checkpoints.")]
Cache = Annotated[Path, typer.Option(envvar="EARSHOT_CACHE", help="Where features are kept between runs.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Overrides the recipe: key=value, dots between.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads to compute with; the figures do not depend on it much.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin anew in a folder that holds a run.")]
Name = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of one of the project's own.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")]

_PROFILE_HEADS = ("profile", "blended")
_FIRST_VERSION = "1.0.0"
_OWN_LICENCE = "of its data and encoders: see there"
_CACHE = Path("cache")
_WEIGHTS = Path("weights")


def main() -> None:
    """Run the command line; what the environment did wrong is told in one sentence, with exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(show_path=False)])
    try:
        app()
    except KnownError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise SystemExit(2) from None


app.command("import-checkpoint")(import_checkpoint)
for module in (
    training.captioning.command,
    training.describe,
    training.decode,
    training.synthesise,
    training.analyse,
    training.sheet,
    training.assess.everyday,
):
    module.register(app)


def _shipped_places(data: Path, texts: Path | None, trunk: Path | None, sentences: Path | None, cache: Path) -> Any:
    from training.material import Places

    for name, place in (("--texts", texts), ("--trunk", trunk), ("--sentences", sentences)):
        if place is None:
            raise RecipeError("earshot-base and its like start from published files.", f"Give their place with {name}.")
    assert texts is not None
    assert trunk is not None
    assert sentences is not None
    return Places(data, texts, trunk, sentences, cache)


def _gathered(recipe: Recipe, places: Any, threads: int) -> tuple[Any, Any]:
    from training.material import gather
    from training.tower import published_towers

    torch.set_num_threads(threads)
    towers = published_towers(recipe.trunk.name, places.trunk, places.sentences, options=recipe.trunk.options)
    return gather(recipe, places, towers), towers


@app.command("recipes")
def recipes() -> None:
    """List the project's own recipes, and the published rows that they belong to."""
    table = Table("recipe", "task", "published row", "data")
    for name in recipe_names():
        recipe = load_any(recipe_path(name))
        paper = getattr(recipe, "paper", None)
        row = "" if paper is None else f"{paper.paper}, {paper.table}: {paper.row}"
        table.add_row(name, recipe.task, row, "" if paper is None else paper.data)
    _console.print(table)


@app.command()
def prepare(
    recipe: Name,
    data: Data,
    texts: Texts = None,
    trunk: Trunk = None,
    sentences: Sentences = None,
    weights: Weights = _WEIGHTS,
    cache: Cache = _CACHE,
    settings: Settings = None,
    threads: Threads = 1,
) -> None:
    """Compute the frozen encoders' features into the cache. A stopped run goes on where it was."""
    loaded = load_any(recipe_path(recipe), settings or [])
    if isinstance(loaded, Recipe):
        from training.material import training_set

        material, _ = _gathered(loaded, _shipped_places(data, texts, trunk, sentences, cache), threads)
        learned = training_set(material, loaded)
        _console.print(
            f"{len(material.clips)} clips, {len(material.learned)} of them to learn from, "
            f"with {len(learned.sentences)} captions; "
            f"{len(learned.extra_sentences)} texts without sounds."
        )
        return
    from training.retrieval.config import RetrievalRecipe
    from training.retrieval.encoder import Places
    from training.retrieval.run import build

    if not isinstance(loaded, RetrievalRecipe):
        raise RecipeError(f"The task {loaded.task} computes its features when it is trained.")
    torch.set_num_threads(threads)
    task = build(loaded, Places(data, weights, cache, Path()), taught=False)
    learned_clips, texts_known = len(task.material.learned), len(task.material.texts)
    _console.print(f"{len(task.material.clips)} clips, {learned_clips} of them to learn from; {texts_known} texts.")


@app.command()
def train(
    recipe: Name,
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the run.")],
    texts: Texts = None,
    trunk: Trunk = None,
    sentences: Sentences = None,
    weights: Weights = _WEIGHTS,
    cache: Cache = _CACHE,
    settings: Settings = None,
    threads: Threads = 1,
    device: Device = "auto",
    fresh: Fresh = False,
) -> None:
    """Train a recipe, and print all figures. The same command goes on with a run that was stopped."""
    loaded = load_any(recipe_path(recipe), settings or [])
    torch.set_num_threads(threads)
    if isinstance(loaded, Recipe):
        from training.export import open_run
        from training.report import print_report
        from training.run import train as train_shipped

        material, _ = _gathered(loaded, _shipped_places(data, texts, trunk, sentences, cache), threads)
        best = train_shipped(loaded, material, out, resume=not fresh)
        _console.print(f"Best in epoch {best.epoch}: validation mAP@10 {best.best['validation']:.4f}.")
        print_report(_console, open_run(out, material).report())
        return
    from training.retrieval.encoder import Places

    places = Places(data, weights, cache, out.resolve().parent)
    with processes():
        _train_any(loaded, places, out, device=device, resume=not fresh)


def _train_any(recipe: Any, places: Any, out: Path, *, device: str, resume: bool) -> None:
    if recipe.task == "auxiliary-captions":
        from training.retrieval.captioner import write_captions

        result = write_captions(recipe, places, out, device=device, resume=resume)
        if rank() == 0:
            _console.print(f"Best in epoch {result.epoch}: loss {result.best['valid_loss']:.4f}. Captions in {out}.")
        return
    if recipe.task == "captioning":
        from training.captioning.run import train as train_captioner

        train_captioner(recipe, places, out, device=device, resume=resume)
        if rank() == 0:
            _print_captioner(out)
        return
    from training.retrieval.run import train as train_retrieval
    from training.table import print_figures

    _, result = train_retrieval(recipe, places, out, device=device, resume=resume)
    if rank() == 0:
        _console.print(f"Best in epoch {result.epoch} by validation {recipe.loop.monitor.name}.")
        print_figures(_console, json.loads((out / FIGURES_FILE).read_text(encoding="utf-8")))


def _print_captioner(run: Path) -> None:
    table = Table("figure", "value")
    for name, value in json.loads((run / FIGURES_FILE).read_text(encoding="utf-8")).items():
        table.add_row(name, value if isinstance(value, str) else f"{value:.4f}")
    _console.print(table)


@app.command()
def export(
    run: Run,
    data: Data,
    model: Annotated[
        Path | None, typer.Option(help="Folder for the model; by default where the program looks for models.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model; by default that of the run's folder.")] = None,
    description: Annotated[str | None, typer.Option(help="A line about it; by default that of the recipe.")] = None,
    texts: Texts = None,
    trunk: Trunk = None,
    sentences: Sentences = None,
    weights: Weights = _WEIGHTS,
    cache: Cache = _CACHE,
    threads: Threads = 1,
) -> None:
    """Write a run as a model that the program opens: weights, calibration, figures, card."""
    loaded = load_any(run / RECIPE_FILE)
    torch.set_num_threads(threads)
    if isinstance(loaded, Recipe):
        from training.export import export as export_shipped
        from training.export import open_run
        from training.report import print_report

        material, towers = _gathered(loaded, _shipped_places(data, texts, trunk, sentences, cache), threads)
        folder = model or user_models_folder() / f"{loaded.identity.name}-{loaded.identity.version}"
        card, report = export_shipped(open_run(run, material), towers, folder)
        print_report(_console, report)
    else:
        from training.retrieval.encoder import Places

        places = Places(data, weights, cache, run.resolve().parent)
        card, folder = _export_any(loaded, run, places, model, _identity(loaded, run, name, description), texts)
    sizes = ", ".join(f"{file} {record.bytes / 1e6:.1f} MB" for file, record in card.files.items())
    _console.print(f"{card.id} in {folder}: {sizes}.", markup=False)


def _export_any(
    recipe: Any, run: Path, places: Any, model: Path | None, identity: Identity, texts: Path | None
) -> tuple[Any, Path]:
    """The card of the model, and its folder."""
    folder = model or user_models_folder() / f"{identity.name}-{identity.version}"
    if recipe.task == "captioning":
        from training.captioning.export import export as export_captioner
        from training.captioning.run import open_run as open_captioner

        task = open_captioner(run, places)
        task.recipe = recipe.model_copy(update={"identity": identity})
        card, _ = export_captioner(task, _class_names(texts), folder, places)
        return card, folder
    if recipe.task != "retrieval":
        raise RecipeError(f"A run of the task {recipe.task} is no model for the program.")
    from training.retrieval.export import export as export_retrieval
    from training.retrieval.run import open_run as open_retrieval

    found = open_retrieval(run, places)
    return export_retrieval(found, places, folder, name=identity.name, description=identity.description), folder


def _identity(recipe: Any, run: Path, name: str | None, description: str | None) -> Identity:
    """What a model will be called: as it was typed, else as its recipe says, else after the run's folder.

    Raises:
        RecipeError: The name is none for a model.
    """
    known = getattr(recipe, "identity", None)
    origin = f"Trained with python -m training in {run.resolve().name}."
    unnamed = {"name": _slug(run.resolve().name), "version": _FIRST_VERSION, "origin": origin, "licence": _OWN_LICENCE}
    fields = unnamed if known is None else known.model_dump()
    fields.setdefault("description", recipe.description)
    if name not in (None, fields["name"]):
        fields["version"] = _FIRST_VERSION  # That of the recipe belongs to another model.
    typed = {"name": name, "description": description}
    try:
        return Identity.model_validate(fields | {key: value for key, value in typed.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RecipeError(
            f"The model cannot have the {first['loc'][0]} {first['input']!r}.",
            "A name is lower-case letters and digits with hyphens or dots between them.",
        ) from error


def _class_names(texts: Path | None) -> list[str]:
    """Of the tagger, in its order: from the folder of texts, else as the captioner that ships knows them."""
    from core.captioning.card import WORDS_FILE, read_captioner_card, read_captioner_file
    from core.captioning.writer import read_words
    from training.captioning.material import SHIPPED_CAPTIONER
    from training.start import read_class_names

    if texts is not None:
        return read_class_names(texts)
    folder = RESOURCES / "models" / SHIPPED_CAPTIONER
    card = read_captioner_card(folder)
    return list(read_words(card, read_captioner_file(folder, card, WORDS_FILE)).classes)


def _slug(name: str) -> str:
    """A model's name made of a folder's."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())
    return "-".join(part for part in kept.split("-") if part) or "model"


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL|RUN", help="Folder of a model, or of a training run.")],
    data: Data,
    recipe: Annotated[str, typer.Option(help="Names the held-out sources and their classes.")] = "earshot-base",
    kinds: Annotated[bool, typer.Option(help="Figures by kind of sound; of a captioner: retrieval.")] = False,
    outside_shortest_s: Annotated[float, typer.Option(min=0, help="Shorter clips count for no outside figure.")] = 0.0,
    split: Annotated[str, typer.Option(help="Of a run's data: valid or test.")] = "test",
    texts: Texts = None,
    weights: Weights = _WEIGHTS,
    cache: Cache = _CACHE,
    threads: Threads = 1,
) -> None:
    """Print the figures of a finished model on a data set's files: retrieval both ways, or a captioner's.

    Of a run: its figures on its own data. Of a model like earshot-base on the corpus: beside scoring with its towers
    but no training, and on sources that it has not learned from.
    """
    torch.set_num_threads(threads)
    if (model / RECIPE_FILE).is_file():
        loaded = load_any(model / RECIPE_FILE)
        if not isinstance(loaded, Recipe):
            from training.retrieval.encoder import Places

            _evaluate_run(loaded, model, Places(data, weights, cache, model.resolve().parent), split)
            return
    if card_kind(model) == "captioner":
        from training.captioning.command import evaluate_captioner
        from training.retrieval.encoder import Places

        if texts is None:
            raise RecipeError("A captioner is compared with its tagger's class names.", "Give --texts.")
        places = Places(data, weights, cache, model.resolve().parent)
        evaluate_captioner(model, places, texts, retrieval=kinds, console=_console)
        return
    from training.data.layout import load_dataset

    clips = load_dataset(data, exclude=["none"]).clips
    shipped = load_recipe(recipe_path(recipe))
    held_out = {clip.source for clip in clips} & set(shipped.data.held_out_sources)
    if held_out and read_card(model).architecture.audio_head.name in _PROFILE_HEADS:
        _evaluate_like_shipped(model, clips, shipped, kinds, outside_shortest_s)
    else:
        _evaluate_model(model, clips, split, kinds)


def _evaluate_run(recipe: Any, run: Path, places: Any, split: str) -> None:
    if recipe.task == "captioning":
        from training.captioning.run import measure as measure_captioner
        from training.captioning.run import open_run as open_captioner

        table = Table("figure", "value")
        for name, value in measure_captioner(open_captioner(run, places), places, split).items():
            table.add_row(name, f"{value:.4f}")
        _console.print(table)
        return
    from training.retrieval.run import measure, open_run
    from training.table import print_figures

    print_figures(_console, measure(open_run(run, places), split))


def _evaluate_model(model: Path, clips: Sequence[Clip], split: str, kinds: bool) -> None:
    from core.encoders.load import load_dual_encoder
    from training.measure import EncoderEmbedder, figures_of
    from training.table import print_categories, print_figures

    found = figures_of(EncoderEmbedder(load_dual_encoder(model, device="cpu")), clips, split)
    print_figures(_console, found.figures, label="one vector for a sound")
    _console.print(f"Split {split}: {found.clips} sounds, {found.queries} captions.")
    if kinds and found.by_category:
        print_categories(_console, found.by_category)
    elif kinds:
        _console.print("The data set does not say of which kind its sounds are.")


def _evaluate_like_shipped(
    model: Path, clips: Sequence[Clip], recipe: Recipe, kinds: bool, outside_shortest_s: float
) -> None:
    from core.encoders.load import load_dual_encoder, load_relevance
    from training.export import Report
    from training.measure import (
        MODEL,
        ONE_VECTOR,
        TRAINING_FREE,
        EncoderEmbedder,
        Scorer,
        TrainingFreeScorer,
        calibration_on_test,
        scoring,
    )
    from training.report import print_kinds, print_report
    from training.tower import model_towers

    embedder = EncoderEmbedder(load_dual_encoder(model, device="cpu"))
    towers, head = model_towers(model)
    free = TrainingFreeScorer(towers, head.class_names, recipe)
    scorers: dict[str, Scorer] = {TRAINING_FREE: free, ONE_VECTOR: free.as_one_vector(), MODEL: embedder}
    scorings = {
        name: scoring(scorer, clips, recipe, outside_shortest_s=outside_shortest_s) for name, scorer in scorers.items()
    }
    print_report(_console, Report(scorings, calibration_on_test(embedder, load_relevance(model), clips, recipe)))
    if kinds:
        print_kinds(_console, scorings)


@app.command("assess")
def assess(
    model: Annotated[Path, typer.Argument(help="Folder of a search model.")],
    data: Data,
    threads: Threads = 1,
    picture: Annotated[Path | None, typer.Option(help="Draw which kinds of sound are taken for which (PNG).")] = None,
) -> None:
    """What a user meets: short questions, negatives, moments, examples, on the test split."""
    from training.assess.command import assess as measure

    torch.set_num_threads(threads)
    measure(model, data, _console, picture=picture)


@app.command("leave-out")
def leave_out_sources(
    recipe: Name,
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the runs, one for each source and one with all.")],
    texts: Texts = None,
    trunk: Trunk = None,
    sentences: Sentences = None,
    cache: Cache = _CACHE,
    settings: Settings = None,
    threads: Threads = 1,
    sources: Annotated[int, typer.Option(min=1, help="How many, those with most test clips first.")] = 12,
) -> None:
    """Train a search model without one source after the other: how much of the gain on a source is lost."""
    from training.assess.source import leave_out, print_sources

    loaded = load_recipe(recipe_path(recipe), settings or [])
    material, towers = _gathered(loaded, _shipped_places(data, texts, trunk, sentences, cache), threads)
    figures = leave_out(loaded, material, out, trunk_dimension=towers.trunk.dimension, sources=sources)
    print_sources(_console, figures)


@app.command("report")
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or folders that hold some.")],
    out: Annotated[Path, typer.Option(help="Folder for report.md, report.csv and report.png.")],
    data: Annotated[
        str, typer.Option("--on", help="What the runs were measured on; by default their data sets' folders.")
    ] = "",
) -> None:
    """Tables of runs: mean and standard deviation over seeds, and the papers' figures beside ours."""
    from training.table import collect, write_report

    rows = collect(runs)
    write_report(rows, out, data=data)
    typer.echo((out / "report.md").read_text(encoding="utf-8"))


@app.command("study")
def study(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the study's runs.")] = Path("study"),
    part: Annotated[str, typer.Option(help="One part of it, or all.")] = "all",
    cache: Cache = _CACHE,
    document: Annotated[Path | None, typer.Option(help="Write the findings there.")] = None,
    threads: Threads = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Parts that run at once, each in a process of one thread.")] = 1,
) -> None:
    """Run the small version of every published row on one folder of described sounds, and write what came out."""
    from training.study import run_study

    torch.set_num_threads(threads)
    run_study(data, out, cache, parts=part, document=document, jobs=jobs)
