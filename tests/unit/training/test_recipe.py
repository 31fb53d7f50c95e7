from __future__ import annotations

from pathlib import Path

import pytest

from training.checkpoint import STATE_FILE, CheckpointError
from training.config import RecipeError, load_recipe, recipe_path
from training.recipe import check_folder, load_any, save_recipe


@pytest.fixture
def recipe_file() -> Path:
    return recipe_path("earshot-base")


def test_that_the_shipped_recipe_can_be_read(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file)
    assert {loss.name for loss in recipe.losses} == {"nt-xent", "estimated-correspondence", "unheard"}
    assert len(recipe.outside) == 10
    assert recipe.data.held_out_sources


def test_that_every_level_can_be_overridden(recipe_file: Path) -> None:
    recipe = load_recipe(
        recipe_file, ["seed=7", "loop.epochs=3", "losses.0.weight=2.5", "data.titles=true", "data.extra_texts=[]"]
    )
    assert (recipe.seed, recipe.loop.epochs, recipe.losses[0].weight) == (7, 3, 2.5)
    assert recipe.data.titles
    assert recipe.data.extra_texts == ()


@pytest.mark.parametrize(
    "override",
    [
        "loop.epoch=3",
        "unknown=1",
        "loop.epochs=0",
        "losses.0.name=triplet",
        "losses.0.options={margin: 1}",
        "losses.9.weight=1",
        "seed.deep.er=1",
        "seed",
        "loop.epochs=[",
    ],
)
def test_that_a_wrong_setting_is_refused(recipe_file: Path, override: str) -> None:
    with pytest.raises(RecipeError):
        load_recipe(recipe_file, [override])


def test_that_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="earshot-base"):
        recipe_path("no-such-recipe")


def test_that_no_recipe_names_a_place_on_somebodys_disk(recipe_file: Path) -> None:
    for path in recipe_file.parent.glob("*.yaml"):
        assert "/home" not in path.read_text(encoding="utf-8")
        assert "../" not in path.read_text(encoding="utf-8")


def test_that_a_folder_is_taken_by_one_recipe_alone(tmp_path: Path) -> None:
    name = recipe_path("small/mei-nt-xent")
    check_folder(load_any(name), tmp_path)  # A new one.
    save_recipe(load_any(name), tmp_path)
    (tmp_path / STATE_FILE).write_bytes(b"anything")
    check_folder(load_any(name, ["loop.save_every_steps=5", "loop.nonfinite=skip", "description=Other."]), tmp_path)
    with pytest.raises(CheckpointError, match=r"loss\.options\.temperature is 0\.07 there and not 0\.1"):
        check_folder(load_any(name, ["loss.options.temperature=0.1"]), tmp_path)
    with pytest.raises(CheckpointError, match=r"data\.learned is None there and not 5"):
        check_folder(load_any(name, ["data.learned=5"]), tmp_path)
