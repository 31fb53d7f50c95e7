"""Which directions of a sound tell its like."""

from __future__ import annotations

import numpy as np
import pytest

from training.config import load_recipe, recipe_path
from training.head import head_specs
from training.recipe import RecipeError
from training.timbre import timbre_map


def test_that_the_map_keeps_what_tells_sounds_apart_and_wear_leaves_alone() -> None:
    rng = np.random.default_rng(0)
    sounds = rng.standard_normal((400, 4)) * [3.0, 1.0, 3.0, 0.01] + 5.0
    copies = sounds + rng.standard_normal((400, 4)) * [0.0, 0.0, 9.0, 0.0]
    weight, bias = timbre_map(sounds, sounds, copies, dimension=2)
    assert weight.shape == (4, 2)
    told = np.abs(weight).sum(axis=1) * sounds.std(axis=0)
    assert min(told[:2]) > 3 * max(told[2:])
    assert np.allclose((sounds @ weight + bias).mean(axis=0), 0.0, atol=1e-4)


@pytest.mark.parametrize(
    "setting", ["{inputs: [[4000, 4097]], dimension: 8, share: 0.2}", "{inputs: [[0, 9]], dimension: 512, share: 0.2}"]
)
def test_that_a_timbre_that_does_not_fit_is_refused(setting: str) -> None:
    recipe = load_recipe(recipe_path("earshot-base"), [f"blend.timbre={setting}"])
    with pytest.raises(RecipeError, match="does not fit"):
        head_specs(recipe, trunk_dimension=4096, classes=527, sentence=384)
