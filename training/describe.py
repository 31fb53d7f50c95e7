"""`python -m training describe` and `mix`: what a data set holds, and scenes made of its clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from training.data.dataset import Dataset
from training.data.description import Description, Spread, complaint_counts, describe, look_at_files
from training.data.layout import LAYOUTS, Layout, load_dataset
from training.data.mixture import MixtureSettings, Relation, plan_scenes, write_scenes
from training.data.storage import replace_file

_SHOWN = 5
_console = Console()

Folder = Annotated[Path, typer.Argument(metavar="DATA", help="Folder of a data set, or a manifest (.jsonl).")]
LayoutName = Annotated[str, typer.Option(help=f"How it lies on disk: {', '.join(LAYOUTS)}.")]
VersionName = Annotated[str | None, typer.Option(help="Of AudioCaps where both are there: 1 or 2.")]
Audio = Annotated[Path | None, typer.Option(help="Of AudioCaps: folder of the sounds, if not below DATA.")]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="What must not be learned from: a published list, another data set's folder, or none."),
]


def open_dataset(folder: Path, layout: str, version: str | None, audio: Path | None, exclude: list[str]) -> Dataset:
    """A data set by what was typed.

    Raises:
        DataError: It cannot be read.
        typer.BadParameter: There is no such layout or version.
    """
    if layout not in LAYOUTS:
        raise typer.BadParameter(f"a layout is one of {', '.join(LAYOUTS)}")
    if version not in (None, "1", "2"):
        raise typer.BadParameter("a version of AudioCaps is 1 or 2")
    known: Layout = next(name for name in LAYOUTS if name == layout)
    return load_dataset(folder, layout=known, version=version, audio=audio, exclude=exclude)  # type: ignore[arg-type]


def describe_command(
    data: Folder,
    layout: LayoutName = "auto",
    version: VersionName = None,
    audio: Audio = None,
    exclude: Exclude = None,
    files: Annotated[bool, typer.Option(help="Look into the files' headers for lengths and damage.")] = True,
    decode: Annotated[bool, typer.Option(help="Read every file to its end: finds silence and clipping, too.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file as well.")] = None,
) -> None:
    """Print counts, hours, caption statistics, missing and broken files of a data set."""
    dataset = open_dataset(data, layout, version, audio, exclude or [])
    if files or decode:
        clips = track(dataset.clips, description="files", transient=True, console=_console)
        durations_s, complaints = look_at_files(clips, decode=decode)
        description = describe(dataset, durations_s=durations_s, complaints=complaints)
    else:
        description = describe(dataset)
    print_description(_console, description, dataset)
    if json_file is not None:
        content = description.as_json() | {
            "omissions": [{"kind": one.kind, "id": one.id, "detail": one.detail} for one in dataset.omissions]
        }
        text = json.dumps(content, ensure_ascii=False, indent=1)
        replace_file(json_file, lambda partial: partial.write_text(text, encoding="utf-8"))
        _console.print(f"Written to {json_file}.", markup=False)


def mix_command(
    data: Folder,
    out: Annotated[Path, typer.Option(help="Folder for the scenes and their manifest.")],
    count: Annotated[int, typer.Option(min=1, help="Scenes of each split.")] = 100,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    relation: Annotated[list[Relation] | None, typer.Option(help="Which; may be given several times.")] = None,
    split: Annotated[str | None, typer.Option(help="Of this split's clips only.")] = None,
    layout: LayoutName = "auto",
) -> None:
    """Make scenes of two sounds ("a, then b", "a while b") with captions that say so."""
    dataset = open_dataset(data, layout, None, None, [])
    clips = dataset.clips if split is None else dataset.split(split)
    settings = MixtureSettings(relations=tuple(relation)) if relation else MixtureSettings()
    scenes = plan_scenes(clips, count=count, seed=seed, settings=settings)
    made = write_scenes(track(scenes, description="scenes", transient=True, console=_console), out, settings)
    _console.print(f"{len(made.clips)} scenes in {out}; {len(made.omissions)} left out.", markup=False)


def print_description(console: Console, description: Description, dataset: Dataset) -> None:
    """Tables for a person."""
    table = Table(title=description.name, caption="least / mean / most where three figures stand")
    table.add_column("")
    for name in description.splits:
        table.add_column(name, justify="right")
    parts = list(description.splits.values())
    table.add_row("clips", *(f"{part.clips:,}" for part in parts))
    table.add_row("groups", *(f"{part.groups:,}" for part in parts))
    table.add_row("hours", *("not known" if part.hours is None else f"{part.hours:.2f}" for part in parts))
    table.add_row("seconds of a clip", *(_told(part.duration_s) for part in parts))
    table.add_row("captions", *(f"{part.captions:,}" for part in parts))
    table.add_row("distinct captions", *(f"{part.distinct_captions:,}" for part in parts))
    table.add_row("captions of a clip", *(_told(part.captions_of_a_clip) for part in parts))
    table.add_row("words of a caption", *(_told(part.words_of_a_caption) for part in parts))
    table.add_row("vocabulary", *(f"{part.vocabulary:,}" for part in parts))
    table.add_row("words that occur once", *(f"{part.once:,}" for part in parts))
    table.add_row("MTLD of a clip's captions", *(_told(part.mtld) for part in parts))
    console.print(table)
    for kind, count in description.omitted.items():
        examples = [one for one in dataset.omissions if one.kind == kind][:_SHOWN]
        told = "; ".join(f"{one.id} ({one.detail})" if one.detail else one.id for one in examples)
        console.print(f"{count:,} left out, {kind}: {told}{' ...' if count > _SHOWN else ''}", markup=False)
    for kind, count in complaint_counts(description.complaints).items():
        told = "; ".join(f"{one.id}: {one.reason}" for one in description.complaints if one.kind == kind)
        console.print(f"{count:,} {kind}: {told[:600]}", markup=False)
    if description.torn_groups:
        told = ", ".join(description.torn_groups[:_SHOWN])
        console.print(f"{len(description.torn_groups):,} groups are in two splits: {told}", markup=False)


def _told(spread: Spread | None) -> str:
    if spread is None:
        return "not known"
    return f"{spread.least:.3g} / {spread.mean:.3g} / {spread.most:.3g}"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("describe")(describe_command)
    app.command("mix")(mix_command)
