"""`python -m training cache`: a data set decoded and resampled ahead of training."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from training.data.dataset import DataError, write_manifest
from training.data.decoded import DecodedSounds
from training.data.manifest import MANIFEST_FILE
from training.describe import Audio, Exclude, Folder, LayoutName, VersionName, open_dataset

_console = Console()


def cache_command(
    data: Folder,
    out: Annotated[Path, typer.Option(help="Folder for the decoded sounds and a manifest of them.")],
    rate: Annotated[int, typer.Option(min=8_000, max=96_000, help="Sample rate of the encoder, in Hz.")] = 32_000,
    longest_s: Annotated[float | None, typer.Option(min=0.1, help="Keep only so many seconds of each.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    layout: LayoutName = "auto",
    version: VersionName = None,
    audio: Audio = None,
    exclude: Exclude = None,
) -> None:
    """Decode and resample a data set once. OUT is then a data set itself: give it to any command in DATA's place."""
    dataset = open_dataset(data, layout, version, audio, exclude or [])
    sounds = DecodedSounds(out, sample_rate_hz=rate, longest_s=longest_s)
    shown = partial(track, description="decoding", transient=True, console=_console)
    done = sounds.prepare(dataset, jobs=jobs, progress=lambda clips: iter(shown(clips)))
    if not done.dataset.clips:
        raise DataError("Not one sound could be read.", "Look at them with `python -m training describe --decode`.")
    write_manifest(done.dataset.clips, out / MANIFEST_FILE)
    _console.print(
        f"{done.decoded} sounds decoded, {done.found} were there, {len(done.dataset.omissions)} left out. "
        f"Use {out} as the data set.",
        markup=False,
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cache")(cache_command)
