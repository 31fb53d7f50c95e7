"""`python -m training`: prepare, train, export, evaluate, import-checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.logging import RichHandler

from core.errors import KnownError
from training.config import Recipe, load_recipe, recipe_path
from training.import_checkpoint import import_checkpoint
from training.material import Material, Places, gather, training_set
from training.tower import Towers, published_towers

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_console = Console()

Data = Annotated[Path, typer.Option(envvar="EARSHOT_CORPUS", help="Folder of the corpus, with corpus.jsonl.")]
Texts = Annotated[Path, typer.Option(envvar="EARSHOT_TEXTS", help="Folder with class names and extra captions.")]
Trunk = Annotated[Path, typer.Option(envvar="EARSHOT_TRUNK", help="Published checkpoint of the audio trunk.")]
Sentences = Annotated[Path, typer.Option(envvar="EARSHOT_SENTENCES", help="Published folder of all-MiniLM-L6-v2.")]
Cache = Annotated[Path, typer.Option(envvar="EARSHOT_CACHE", help="Where features are kept between runs.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Overrides the recipe: key=value, dots between.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads to compute with; the figures do not depend on it much.")]
Name = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of one of the project's own.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.")]


def main() -> None:
    """Run the command line; what the environment did wrong is told in one sentence, with exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(show_path=False)])
    try:
        app()
    except KnownError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise SystemExit(2) from None


def _gathered(recipe: Recipe, places: Places, threads: int) -> tuple[Material, Towers]:
    torch.set_num_threads(threads)
    towers = published_towers(recipe.trunk.name, places.trunk, places.sentences)
    return gather(recipe, places, towers), towers


app.command("import-checkpoint")(import_checkpoint)


@app.command()
def prepare(
    recipe: Name,
    data: Data,
    texts: Texts,
    trunk: Trunk,
    sentences: Sentences,
    cache: Cache = Path("cache"),
    settings: Settings = None,
    threads: Threads = 1,
) -> None:
    """Compute the frozen towers' features into the cache. A stopped run goes on where it was."""
    loaded = load_recipe(recipe_path(recipe), settings or [])
    material, _ = _gathered(loaded, Places(data, texts, trunk, sentences, cache), threads)
    learned = training_set(material, loaded)
    _console.print(
        f"{len(material.clips)} clips, {len(material.learned)} of them to learn from, "
        f"with {len(learned.sentences)} captions; "
        f"{len(learned.extra_sentences)} texts without sounds."
    )


@app.command()
def train(
    recipe: Name,
    data: Data,
    texts: Texts,
    trunk: Trunk,
    sentences: Sentences,
    out: Annotated[Path, typer.Option(help="Folder for the run.")],
    cache: Cache = Path("cache"),
    settings: Settings = None,
    threads: Threads = 1,
) -> None:
    """Train heads by a recipe, and print all figures."""
    from training.export import open_run
    from training.report import print_report
    from training.run import train as train_run

    loaded = load_recipe(recipe_path(recipe), settings or [])
    material, _ = _gathered(loaded, Places(data, texts, trunk, sentences, cache), threads)
    best = train_run(loaded, material, out)
    _console.print(f"Best in epoch {best.epoch}: validation mAP@10 {best.validation:.4f}.")
    print_report(_console, open_run(out, material).report())


@app.command()
def export(
    run: Run,
    data: Data,
    texts: Texts,
    trunk: Trunk,
    sentences: Sentences,
    model: Annotated[Path, typer.Option(help="Folder for the model.")],
    cache: Cache = Path("cache"),
    threads: Threads = 1,
) -> None:
    """Write a run as a model that the program opens: weights, calibration, figures, card."""
    from training.export import export as export_run
    from training.export import open_run
    from training.report import print_report
    from training.run import RECIPE_FILE

    material, towers = _gathered(load_recipe(run / RECIPE_FILE), Places(data, texts, trunk, sentences, cache), threads)
    card, report = export_run(open_run(run, material), towers, model)
    print_report(_console, report)
    sizes = ", ".join(f"{name} {record.bytes / 1e6:.1f} MB" for name, record in card.files.items())
    _console.print(f"{card.id} in {model}: {sizes}.")


@app.command()
def evaluate(
    model: Model,
    data: Data,
    recipe: Annotated[str, typer.Option(help="Names the held-out sources and their classes.")] = "earshot-base",
    kinds: Annotated[bool, typer.Option(help="Figures for each kind of sound, too.")] = False,
    outside_shortest_s: Annotated[float, typer.Option(min=0, help="Shorter clips count for no outside figure.")] = 0.0,
    threads: Threads = 1,
) -> None:
    """Print a finished model's figures, from the corpus' files, beside scoring with its towers but no training."""
    from core.encoders.load import load_dual_encoder, load_relevance
    from training.data.manifest import read_manifest
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

    torch.set_num_threads(threads)
    loaded = load_recipe(recipe_path(recipe))
    clips = read_manifest(data)
    embedder = EncoderEmbedder(load_dual_encoder(model, device="cpu"))
    free = TrainingFreeScorer(*model_towers(model), loaded)
    scorers: dict[str, Scorer] = {TRAINING_FREE: free, ONE_VECTOR: free.as_one_vector(), MODEL: embedder}
    scorings = {
        name: scoring(scorer, clips, loaded, outside_shortest_s=outside_shortest_s) for name, scorer in scorers.items()
    }
    print_report(_console, Report(scorings, calibration_on_test(embedder, load_relevance(model), clips, loaded)))
    if kinds:
        print_kinds(_console, scorings)
