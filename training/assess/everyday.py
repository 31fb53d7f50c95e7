"""`python -m training outside`: everyday sounds of public packages, which neither the corpus nor any training has seen.

A table (`outside.yaml` and the like) holds facts alone: classes, how people ask for them, and which file of
which package belongs to which class. The recordings stay in their packages; `packaging/fetch_outside.sh` fetches them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from rich.console import Console
from rich.table import Table

from core.encoders.load import load_dual_encoder
from core.types import FloatArray
from training.config import load_recipe, recipe_path
from training.data.dataset import Clip, DataError
from training.measure import MODEL, ONE_VECTOR, TRAINING_FREE, EncoderEmbedder, Scorer, TrainingFreeScorer
from training.metrics.retrieval import mean_average_precision
from training.outside import OutsideSet, outside_figures
from training.tower import model_towers

OUTSIDE_FILE = Path(__file__).with_name("outside.yaml")
Registry = Literal["debian", "npm", "pypi"]
# A package's name is also that of its folder, so a scope of npm (@NAME/) is none.
_PACKAGES: dict[Registry, str] = {
    "debian": r"[a-z0-9][a-z0-9+.-]+=[0-9][0-9A-Za-z.+~:-]*",
    "npm": r"[a-z0-9][a-z0-9._-]*=[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?",
    "pypi": r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?=[0-9][0-9A-Za-z.!+]*",
}
_NAMED = 5
_console = Console()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EverydayClass(_Part):
    """A kind of sound and its queries."""

    name: str
    queries: tuple[str, ...] = Field(min_length=1)


class EverydaySound(_Part):
    """A file of a package.

    Attributes:
        path: Inside the package.
        sha256: Of the file.
        kind: Name of its class.
    """

    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    kind: str


class SoundPackage(_Part):
    """A package and what of it is measured.

    Attributes:
        package: NAME=VERSION.
        registry: Where the package is published.
        licence: As the package states it for its sounds.
        sounds: Its files.
    """

    package: str
    registry: Registry = "debian"
    licence: str = Field(min_length=1)
    sounds: tuple[EverydaySound, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _named_as_the_registry_does(self) -> Self:
        if re.fullmatch(_PACKAGES[self.registry], self.package) is None:
            raise ValueError(f"{self.package!r} is no NAME=VERSION of {self.registry}")
        return self

    @property
    def name(self) -> str:
        """Without the version; the folder that it is unpacked into."""
        return self.package.partition("=")[0]


class EverydayTable(_Part):
    """All of a table.

    Attributes:
        archive: Where its packages are, in words.
        classes: What its sounds are.
        packages: Where its sounds are.
        path: The file that it was read from.
    """

    archive: str
    classes: tuple[EverydayClass, ...]
    packages: tuple[SoundPackage, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What of a table lies in a folder.

    Attributes:
        found: The clips and their classes.
        missing: Files that are not there, each as PACKAGE/PATH.
        changed: Files with another content than the table's.
    """

    found: OutsideSet
    missing: tuple[str, ...]
    changed: tuple[str, ...]


def table_names() -> tuple[str, ...]:
    """The project's own tables, sorted."""
    return tuple(sorted(path.stem for path in OUTSIDE_FILE.parent.glob("outside*.yaml")))


def table_path(name: str) -> Path:
    """A table's file: a path, or the name of one of the project's own.

    Raises:
        DataError: Neither exists.
    """
    for path in (Path(name), OUTSIDE_FILE.parent / f"{name}.yaml"):
        if path.is_file():
            return path
    known = ", ".join(table_names())
    raise DataError(f"There is no table of everyday sounds {name}.", f"Give a YAML file or one of: {known}.")


def read_everyday(path: Path = OUTSIDE_FILE) -> EverydayTable:
    """A table of facts.

    Raises:
        DataError: It is damaged, a sound is of no class, a sound or a package comes twice, or classes differ in their
            number of queries.
    """
    try:
        facts = yaml.safe_load(path.read_text(encoding="utf-8"))
        table = EverydayTable.model_validate({**facts, "path": path} if isinstance(facts, dict) else facts)
    except (yaml.YAMLError, ValidationError) as error:
        raise DataError(f"The table of everyday sounds {path} cannot be read: {error}.") from error
    names = {kind.name for kind in table.classes}
    sounds = [sound for package in table.packages for sound in package.sounds]
    stray = sorted({sound.kind for sound in sounds} ^ names)
    if stray:
        raise DataError(f"A class without sounds, or sounds without a class, in {path}: {', '.join(stray)}.")
    if len({sound.sha256 for sound in sounds}) != len(sounds):
        raise DataError(f"A sound comes twice in {path}.")
    if len({package.name for package in table.packages}) != len(table.packages):
        raise DataError(f"A package comes twice in {path}.")
    if len({len(kind.queries) for kind in table.classes}) != 1:
        raise DataError(f"Every class in {path} needs as many queries as the others.")
    return table


def unpacked(table: EverydayTable, folder: Path) -> Unpacked:
    """Look for a table's files in a folder that holds one folder for each package.

    Raises:
        DataError: Of some class there is no sound at all.
    """
    number = {kind.name: row for row, kind in enumerate(table.classes)}
    clips: list[Clip] = []
    labels: list[int] = []
    missing: list[str] = []
    changed: list[str] = []
    for package in table.packages:
        for sound in package.sounds:
            key = f"{package.name}/{sound.path}"
            path = folder / key
            if not path.is_file():
                missing.append(key)
            elif hashlib.sha256(path.read_bytes()).hexdigest() != sound.sha256:
                changed.append(key)
            else:
                clips.append(Clip(id=key, path=path, captions=(), split="test", source=package.name))
                labels.append(number[sound.kind])
    empty = [name for name, row in number.items() if row not in labels]
    if empty:
        script = f"sh packaging/fetch_outside.sh {folder} {table.path}"
        raise DataError(f"There is no sound of {', '.join(empty)} in {folder}.", f"Fetch them with `{script}`.")
    queries = tuple(query for kind in table.classes for query in kind.queries)
    owners = [number[kind.name] for kind in table.classes for _ in kind.queries]
    found = OutsideSet(tuple(clips), np.asarray(labels, np.int64), queries, np.asarray(owners, np.int64))
    return Unpacked(found, tuple(missing), tuple(changed))


def precision_by_class(scores: FloatArray, found: OutsideSet) -> list[float]:
    """Mean average precision of each class' own queries, from scores (q, m)."""
    relevant = found.owners[:, None] == found.labels[None, :]
    rows = [found.owners == number for number in range(int(found.owners.max()) + 1)]
    return [mean_average_precision(scores[row], relevant[row]) for row in rows]


def print_everyday(console: Console, table: EverydayTable, there: Unpacked, scorers: dict[str, Scorer]) -> None:
    """Figures of every way to score, in total and for each class, and what is not there."""
    found = there.found
    scores = {name: scorer(found.queries, found.clips) for name, scorer in scorers.items()}
    figures = {name: outside_figures(score, found.labels, found.owners) for name, score in scores.items()}
    shown = Table("everyday sounds", "clips", *scorers, title=table.path.stem)
    total = str(len(found.clips))
    shown.add_row("mAP", total, *(f"{figure.mean_average_precision:.4f}" for figure in figures.values()))
    shown.add_row("zero-shot accuracy", total, *(f"{figure.accuracy:.4f}" for figure in figures.values()))
    by_class = [precision_by_class(score, found) for score in scores.values()]
    for number, kind in enumerate(table.classes):
        clips = str(int((found.labels == number).sum()))
        shown.add_row(f"mAP, {kind.name}", clips, *(f"{column[number]:.3f}" for column in by_class))
    console.print(shown)
    _print_absent(console, "not there", there.missing)
    _print_absent(console, "of another content", there.changed)


def _print_absent(console: Console, what: str, keys: Sequence[str]) -> None:
    if keys:
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        console.print(f"Left out, {what}: {', '.join(keys[:_NAMED])}{more}.", markup=False)


def outside_command(
    model: Annotated[Path, typer.Argument(help="Folder of a model like earshot-base.")],
    packages: Annotated[Path, typer.Option(help="Where packaging/fetch_outside.sh has put the table's packages.")],
    table: Annotated[str, typer.Option(help=f"A YAML file, or one of: {', '.join(table_names())}.")] = "outside",
    recipe: Annotated[str, typer.Option(help="Says how the training-free scoring reads sounds.")] = "earshot-base",
    threads: Annotated[int, typer.Option(min=1, help="Threads to compute with.")] = 1,
) -> None:
    """Print how well a model finds and names everyday sounds of public packages, beside training-free scoring."""
    torch.set_num_threads(threads)
    everyday = read_everyday(table_path(table))
    there = unpacked(everyday, packages)
    towers, head = model_towers(model)
    free = TrainingFreeScorer(towers, head.class_names, load_recipe(recipe_path(recipe)))
    embedder = EncoderEmbedder(load_dual_encoder(model, device="cpu"))
    scorers: dict[str, Scorer] = {TRAINING_FREE: free, ONE_VECTOR: free.as_one_vector(), MODEL: embedder}
    print_everyday(_console, everyday, there, scorers)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("outside")(outside_command)
