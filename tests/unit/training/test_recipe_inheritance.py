"""Recipes that extend one another, and what a retrieval recipe refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.recipe import RecipeError, load_any, recipe_names, recipe_path, save_recipe
from training.retrieval.config import RetrievalRecipe


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_that_a_recipe_takes_over_what_it_does_not_say(tmp_path: Path) -> None:
    write(tmp_path, "base", "extends: small/mei-nt-xent\ndescription: base\nloop: {epochs: 3, clip_norm: 1.0}\n")
    recipe = load_any(write(tmp_path, "own", "extends: base\nloop: {epochs: 5}\n"), ["data.batch=7"])
    assert isinstance(recipe, RetrievalRecipe)
    assert (recipe.description, recipe.loop.epochs, recipe.loop.clip_norm, recipe.data.batch) == ("base", 5, 1.0, 7)
    assert recipe.loss.options["temperature"] == 0.07


def test_that_another_loss_does_not_inherit_options(tmp_path: Path) -> None:
    recipe = load_any(write(tmp_path, "own", "extends: small/mei-nt-xent\nloss: {name: triplet-max}\n"))
    assert recipe.loss.options == {}


def test_that_recipes_in_a_circle_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", "extends: b\n")
    with pytest.raises(RecipeError, match="extends itself"):
        load_any(write(tmp_path, "b", "extends: a\n"))


def test_that_the_resolved_recipe_needs_no_other_file(tmp_path: Path) -> None:
    recipe = load_any(recipe_path("xin/clotho-ac-hci"), ["loop.epochs=2"])
    save_recipe(recipe, tmp_path)
    assert "extends" not in (tmp_path / "recipe.yaml").read_text(encoding="utf-8")
    assert load_any(tmp_path / "recipe.yaml") == recipe


def test_that_pieces_to_extend_are_not_listed() -> None:
    names = recipe_names()
    assert "mei/clotho-frozen-nt-xent" in names
    assert not [name for name in names if "/_" in name]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("head.width=3", "Extra inputs"),
        ("audio.encoder=resnet99", "no audio encoder"),
        ("text.encoder=gpt", "no text encoder"),
        ("loss.name=unheard", "no loss"),
        ("loss.options={margin: 1}", "no such option"),
        ("hci={}", "works on frames"),
        ("tap={}", "works on frames"),
        ("audio.spec_augment={}", "needs waveforms"),
        ("text.tuned=all", "frozen minilm-l6"),
        ("auxiliary={captions: x, interaction: false}", "joint space"),
        ("loop.precision=fp8", "precision"),
        ("distillation={teachers: []}", "distillation.teachers"),
    ],
)
def test_that_settings_that_do_not_fit_are_told(setting: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        load_any(recipe_path("small/mei-nt-xent"), [setting])


def test_that_only_a_mobile_net_can_be_tuned_in_part() -> None:
    with pytest.raises(RecipeError, match="MobileNet"):
        load_any(recipe_path("small/mei-nt-xent"), ["audio.encoder=cnn10", "audio.tuned=last"])


def test_that_an_unknown_task_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="retrieval"):
        load_any(write(tmp_path, "own", "task: dreaming\n"))
