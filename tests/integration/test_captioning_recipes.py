"""Every captioning recipe on a small set: the loss falls, the captions improve, and the program opens the export."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from small_sounds import write_small_set

from core.captioning.shipped import load_captioner
from core.config import RESOURCES
from core.encoders.card import read_card
from training.captioning.command import open_captioner, order_figures, print_order, write_caption_sheet
from training.captioning.config import CaptioningRecipe
from training.captioning.export import export
from training.captioning.material import gather
from training.captioning.run import HEAD_FILE, build, measure, open_run, train
from training.checkpoint import LOG_FILE
from training.data.manifest import read_manifest
from training.perturb import PAPER
from training.recipe import RecipeError, load_any, recipe_path
from training.retrieval.config import SHIPPED
from training.retrieval.encoder import Places

SMALL = (
    "data.sets=[{folder: ., layout: folder}]",
    "data.batch=8",
    "audio.seconds=1.5",
    "audio.shortest_s=1",
    "words.least=1",
    "decoder.layers=1",
    "decoder.width=32",
    "decoder.hidden=32",
    "decoder.dropout=0",
    "decoder.projection_dropout=0",
    "augmentation.mixup=0",
    "augmentation.time_stripes=0",
    "loop.epochs=8",
    "loop.precision=fp32",
    "loop.tensorboard=false",
    "loop.schedule={kind: constant}",
    "loop.optimiser.learning_rate=0.003",
    "loop.optimiser.weight_decay=0",
)
SCENES = ("scenes.count=12", "scenes.an_epoch=8", "scenes.batch=4", "scenes.judged=8")
SHIPS = (*SCENES, 'held_out.recipe=""')
FRESH = ('audio.checkpoint=""', "audio.encoder=cnn10")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("captioning")
    (folder / "sounds").mkdir()
    return Places(write_small_set(folder / "sounds"), folder, folder / "cache", folder / "runs")


@dataclass(frozen=True, slots=True)
class Run:
    """A shrunken recipe, the folder in which it was trained, and what a fresh decoder reaches."""

    recipe: CaptioningRecipe
    folder: Path
    before: dict[str, float]


Trained = Callable[..., Run]


@pytest.fixture(scope="module")
def trained(places: Places) -> Trained:
    """Call it to have a recipe trained, each once."""
    runs: dict[tuple[str, ...], Run] = {}

    def get(name: str, *more: str) -> Run:
        if (name, *more) not in runs:
            recipe = load_any(recipe_path(name), [*SMALL, *more])
            assert isinstance(recipe, CaptioningRecipe)
            before = build(recipe, places).validate()
            folder = places.runs / name
            train(recipe, places, folder, device="cpu", show=False)
            runs[name, *more] = Run(recipe, folder, before)
        return runs[name, *more]

    return get


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("labbe/clotho", FRESH),
        ("labbe/audiocaps", FRESH),
        ("small/labbe", ()),
        ("small/labbe-scenes", SCENES),
        ("earshot-captioner", SHIPS),
    ],
)
def test_that_a_recipe_learns_to_describe(name: str, more: tuple[str, ...], places: Places, trained: Trained) -> None:
    run = trained(name, *more)
    with (run.folder / LOG_FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["loss"]) < 0.8 * float(rows[0]["loss"])
    task = open_run(run.folder, places)
    assert task.validate()["cross_entropy"] < 0.7 * run.before["cross_entropy"]
    figures = measure(task, places)
    assert {"cider_d", "rouge_l", "sbert_sim", "recall_at_1", "a2t_recall_at_1", "a2t_unscaled_recall_at_1"} <= set(
        figures
    )
    assert (set(PAPER) & set(figures) != set()) == (run.recipe.scenes.count > 0)


def test_that_an_export_is_opened_and_measured(places: Places, trained: Trained, tmp_path: Path) -> None:
    folder = trained("earshot-captioner", *SHIPS).folder
    noted = (folder / HEAD_FILE).read_text("utf-8")
    (folder / HEAD_FILE).write_text("another search model's", "utf-8")
    with pytest.raises(RecipeError, match="another search model"):
        open_run(folder, places)
    (folder / HEAD_FILE).write_text(noted, "utf-8")
    task = open_run(folder, places)
    card, report = export(task, [f"Class {number}" for number in range(527)], tmp_path / "model", places)
    clips = [clip for clip in read_manifest(places.data) if clip.split == "test"]
    # It remembers the clips that it learned from, and hears as the search model does.
    learned = [clip for clip in read_manifest(places.data) if clip.split == "train"]
    assert card.architecture.memory is not None
    assert card.architecture.memory.options["sounds"] == len(learned)
    assert card.architecture.audio_head == read_card(RESOURCES / "models" / SHIPPED).architecture.audio_head
    assert card.quality["test_repeating"].value == card.quality["test_unfinished"].value == 0
    captioner = load_captioner(tmp_path / "model", device="cpu")
    told = [captioner.caption(clip.path) for clip in clips]
    # Weights are kept in half precision: now and then another word wins.
    same = [guess.text == text for guess, text in zip(told, report.told.texts, strict=True)]
    assert np.mean(same) >= 0.8
    confidences = [guess.confidence for guess, one in zip(told, same, strict=True) if one]
    expected = [value for value, one in zip(report.confidences.tolist(), same, strict=True) if one]
    assert confidences == pytest.approx(expected, abs=0.02)
    write_caption_sheet(tmp_path / "model", clips[:2], tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 2
    assert clips[0].captions[0] in page


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("audio.options={taps: [2, 5]}", "does not fit the encoder"),
        ("decoder.stretches=2", "cannot place stretches"),
    ],
)
def test_that_a_prefix_that_the_search_model_cannot_make_is_refused(change: str, why: str, places: Places) -> None:
    recipe = load_any(recipe_path("earshot-captioner"), [*SMALL, *SCENES, change])
    assert isinstance(recipe, CaptioningRecipe)
    with pytest.raises(RecipeError, match=why):
        gather(recipe, places)


def test_that_order_is_judged_in_two_ways(places: Places, trained: Trained) -> None:
    run = trained("earshot-captioner", *SHIPS)
    torch.manual_seed(0)
    found = order_figures(open_captioner(run.folder, places), top=4)
    assert len(found) == 2
    for figures in found.values():
        assert all(0 <= accuracy.share <= 1 for accuracy in figures.accuracies.values())
        assert figures.reranking is not None
        assert figures.reranking.after <= figures.reranking.reachable
    from rich.console import Console

    with Console(record=True, width=160) as console:
        print_order(console, found)
    assert "invert/seq" in console.export_text()
