"""Every small recipe on a small real set: the loss falls, sounds are found, and the program opens what is exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_sounds import write_small_set

from core.audio.mono import read_mono
from core.encoders.card import read_card
from core.encoders.load import available_models, load_dual_encoder, load_relevance
from training.checkpoint import BEST_FILE, LOG_FILE
from training.recipe import load_any, recipe_names, recipe_path
from training.retrieval.captioner import write_captions
from training.retrieval.config import AuxiliaryRecipe
from training.retrieval.encoder import Places
from training.retrieval.export import export
from training.retrieval.material import CAPTIONS_FILE, read_generated
from training.retrieval.run import Shelf, build, train
from training.study import PARTS
from training.tasks.retrieval import RetrievalTask

RECIPES = [run.recipe for name, part in PARTS.items() for run in (*part.runs, *part.tried) if name != "labbe"]
CHANCE = 0.2  # mAP@10 of a random ranking of 16 sounds, two of which fit
SETTINGS = (
    "audio.shortest_s=1",
    "data.batch=8",
    "loop.epochs=6",
    "loop.tensorboard=false",
    "loop.schedule={kind: constant}",
)
HEAD_SETTINGS = ("head.dimension=64",)


class Runs:
    """Recipes that are trained when they are first asked for, in one folder, so that they find each other."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(write_small_set(folder / "sounds"), folder, folder / "cache", folder / "runs")
        self._shelf = Shelf()
        self._finished: dict[str, tuple[Path, RetrievalTask | None]] = {}
        self.before: dict[str, float] = {}

    def get(self, name: str) -> tuple[Path, RetrievalTask | None]:
        """A run's folder and its task."""
        if name not in self._finished:
            folder = self.places.runs / name
            path = recipe_path(f"small/{name}")
            recipe = load_any(path, SETTINGS)
            if isinstance(recipe, AuxiliaryRecipe):
                write_captions(recipe, self.places, folder, device="cpu", show=False)
                self._finished[name] = folder, None
                return self._finished[name]
            wanted = [recipe.starts_from] if recipe.starts_from else []
            wanted += recipe.distillation.teachers if recipe.distillation is not None else []
            wanted += [recipe.auxiliary.captions] if recipe.auxiliary is not None else []
            for other in wanted:
                self.get(other)
            recipe = load_any(path, [*SETTINGS, *HEAD_SETTINGS])
            if recipe.starts_from:
                begun = build(recipe, self.places, shelf=self._shelf).module.state_dict()
                first = load_file(self.places.runs / recipe.starts_from / BEST_FILE)
                assert all(torch.equal(begun[key], value) for key, value in first.items())
                # From where its first stage ended a second one has hardly any way to fall.
                recipe = load_any(path, [*SETTINGS, *HEAD_SETTINGS, 'starts_from=""'])
            fresh = build(recipe, self.places, shelf=self._shelf)
            self.before[name] = mean_loss(fresh)
            task, _ = train(recipe, self.places, folder, device="cpu", show=False, shelf=self._shelf)
            self._finished[name] = folder, task
        return self._finished[name]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "sounds").mkdir()
    return Runs(folder)


def mean_loss(task: RetrievalTask) -> float:
    """Over an epoch's batches, without dropout."""
    task.module.eval()
    with torch.no_grad():
        return float(np.mean([float(task.loss(batch)[0]) for batch in task.batches(1)]))


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG_FILE).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_that_every_small_recipe_is_part_of_the_study() -> None:
    assert sorted(f"small/{name}" for name in RECIPES) == sorted(
        name for name in recipe_names() if name.startswith("small/") and not name.startswith("small/labbe")
    )


@pytest.mark.parametrize("name", RECIPES)
def test_that_the_loss_falls_and_sounds_are_found(name: str, runs: Runs) -> None:
    folder, task = runs.get(name)
    if task is None:
        rows = log_of(folder)
        assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
        assert float(rows[-1]["valid_loss"]) < float(rows[0]["valid_loss"])
        assert len(read_generated(folder / CAPTIONS_FILE)) == 64
        return
    assert mean_loss(task) < runs.before[name]
    assert task.figures("test")["map_at_10"] > 1.5 * CHANCE


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith("xin-captioner")])
def test_that_an_exported_recipe_loads_in_the_program(
    name: str, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, task = runs.get(name)
    assert task is not None
    monkeypatch.setattr("core.encoders.load.user_models_folder", lambda: tmp_path)
    card = export(task, runs.places, tmp_path / "own", name="own-model")
    assert card == read_card(tmp_path / "own")
    assert "own-model-1.0.0" in [model.card.id for model in available_models()]
    encoder = load_dual_encoder(tmp_path / "own", device="cpu")
    clips = [task.material.clips[row] for row in task.material.rows("test")[:3]]
    sounds = encoder.embed_audio([read_mono(clip.path, sample_rate_hz=card.sample_rate_hz) for clip in clips])
    expected = task.sound_vectors(task.material.rows("test")[:3], alone=True).numpy()
    assert np.abs(sounds - expected).max() < 0.02
    texts = [clips[0].captions[0], clips[2].captions[0]]
    assert np.abs(encoder.embed_text(texts) - task.text_vectors(texts).numpy()).max() < 0.02
    assert load_relevance(tmp_path / "own") is not None


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["mei-nt-xent", "xin-hci-all"])
def test_that_a_few_steps_on_the_corpus_find_more_than_chance(name: str, corpus_folder: Path, tmp_path: Path) -> None:
    chosen: list[str] = []
    groups: set[str] = set()
    wanted = {"train": 48, "valid": 16, "test": 16}
    for line in (corpus_folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        if fields["group"] in groups or not wanted[fields["split"]] or fields["duration_s"] > 3:
            continue
        groups.add(fields["group"])
        wanted[fields["split"]] -= 1
        chosen.append(json.dumps(fields | {"file": str(corpus_folder / fields["file"])}))
    (tmp_path / "manifest.jsonl").write_text("\n".join(chosen), encoding="utf-8")
    recipe = load_any(recipe_path(f"small/{name}"), [*SETTINGS, *HEAD_SETTINGS])
    places = Places(tmp_path, tmp_path, tmp_path / "cache", tmp_path / "runs")
    before = mean_loss(build(recipe, places))
    task, _ = train(recipe, places, tmp_path / "runs" / name, device="cpu", show=False)
    assert mean_loss(task) < before
    figures = task.figures("train")
    by_chance = np.mean([1 / rank for rank in range(1, 11)]) * 10 / 48
    assert figures["map_at_10"] > 1.5 * by_chance
