"""Recipes of every kind: YAML files that may extend one another, checked against their task's fields.

A recipe names its `task`; `extends: other` takes over everything that it does not say itself (a mapping is merged key
by key, unless both have a `name` and not the same; a list is replaced). `key=value` settings of the command line come
last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from core.errors import KnownError
from training.checkpoint import STATE_FILE, CheckpointError, write_whole

CONFIGS = Path(__file__).resolve().parent / "configs"
RECIPE_FILE = "recipe.yaml"
_DEFAULT_TASK = "profile"
# What may change between two legs of a run: it decides nothing that is learned.
_FREE = frozenset(
    {"description", "paper", "identity"}
    | {f"loop.{name}" for name in ("tensorboard", "save_every_steps", "nonfinite", "nonfinite_limit")}
)
_KINDS = {
    "profile": "training.config:Recipe",
    "retrieval": "training.retrieval.config:RetrievalRecipe",
    "auxiliary-captions": "training.retrieval.config:AuxiliaryRecipe",
    "captioning": "training.captioning.config:CaptioningRecipe",
}


class RecipeError(KnownError):
    """A recipe that cannot be used."""


class PaperRow(BaseModel):
    """The published row that a recipe belongs to.

    Attributes:
        paper: "Mei et al. 2022" and the like.
        table: Where it stands.
        row: What it is called there.
        data: On which data it was measured.
        figures: By the names of `training.retrieval.evaluate`, from 0 to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paper: str = Field(min_length=1)
    table: str = ""
    row: str = ""
    data: str = ""
    figures: dict[str, float] = Field(default_factory=dict)


def recipe_names() -> tuple[str, ...]:
    """The project's own recipes that can be run, sorted; a name that begins with an underscore is only extended."""
    paths = [path.relative_to(CONFIGS).with_suffix("") for path in CONFIGS.rglob("*.yaml")]
    return tuple(sorted(path.as_posix() for path in paths if not path.name.startswith("_")))


def recipe_path(name: str) -> Path:
    """A recipe file: a path, or the name of one of the project's own.

    Raises:
        RecipeError: Neither exists.
    """
    for path in (Path(name), CONFIGS / f"{name}.yaml"):
        if path.is_file():
            return path
    raise RecipeError(f"There is no recipe {name}.", f"Give a YAML file or one of: {', '.join(recipe_names())}.")


def load_any(path: Path, overrides: Sequence[str] = ()) -> Any:
    """Read a recipe of any kind.

    Args:
        path: A YAML file.
        overrides: `key=value` with dots between levels, the value in YAML: `loop.epochs=3`, `losses.0.weight=2`.

    Raises:
        RecipeError: The file cannot be read, a key is unknown or a value out of bounds.
    """
    content = read_content(path)
    for override in overrides:
        _override(content, override)
    kind = content.get("task", _DEFAULT_TASK)
    if kind not in _KINDS:
        raise RecipeError(f"The recipe {path} has the task {kind!r}.", f"There are: {', '.join(_KINDS)}.")
    module, _, name = _KINDS[kind].partition(":")
    model: type[BaseModel] = getattr(import_module(module), name)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise RecipeError(f"The recipe {path} cannot be used: {place}: {first['msg']}.") from error


def read_content(path: Path, _above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A recipe file with everything that it extends, not yet checked.

    Raises:
        RecipeError: A file cannot be read, or recipes extend each other in a circle.
    """
    if path.resolve() in _above:
        raise RecipeError(f"The recipe {path} extends itself.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"The recipe {path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path} is no recipe.", "A recipe is a YAML mapping.")
    extended = content.pop("extends", None)
    if extended is None:
        return content
    if not isinstance(extended, str):
        raise RecipeError(f"The recipe {path} extends {extended!r}.", "Give the name of one recipe.")
    beside = path.parent / f"{extended}.yaml"
    base = read_content(beside if beside.is_file() else recipe_path(extended), (*_above, path.resolve()))
    return _merged(base, content)


def check_folder(recipe: BaseModel, folder: Path) -> None:
    """See that a folder is new, or holds a run of this very recipe, before anything in it is changed.

    Raises:
        CheckpointError: It holds a run with other settings.
        RecipeError: Its recipe cannot be read.
    """
    if not ((folder / STATE_FILE).is_file() and (folder / RECIPE_FILE).is_file()):
        return
    there, wanted = (_flat(one.model_dump(mode="json")) for one in (load_any(folder / RECIPE_FILE), recipe))
    changed = [
        key
        for key in dict.fromkeys([*there, *wanted])
        if there.get(key) != wanted.get(key) and not any(key == free or key.startswith(f"{free}.") for free in _FREE)
    ]
    if changed:
        key = changed[0]
        raise CheckpointError(
            f"{folder} holds a run with other settings: {key} is {there.get(key)!r} there and not {wanted.get(key)!r}.",
            "Give another folder, or begin anew with --fresh.",
        )


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Values by their keys with dots between."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def save_recipe(recipe: BaseModel, folder: Path) -> None:
    """Write a recipe with every default and override as `recipe.yaml`."""
    content = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_whole(folder / RECIPE_FILE, content.encode())


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    if "name" in base and "name" in own and base["name"] != own["name"]:
        return dict(own)  # Another loss, say: the options of the one before are none of its own.
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not key or not equals:
        raise RecipeError(f"{override!r} is no setting.", "Write it as key=value.")
    place: Any = content
    *way, last = key.split(".")
    try:
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        parsed: JsonValue = yaml.safe_load(value)
        if isinstance(place, list):
            place[int(last)] = parsed
        else:
            place[last] = parsed
    except (ValueError, IndexError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise RecipeError(f"The setting {override!r} does not lead anywhere in the recipe.") from error
