"""Earshot in a terminal.

Exit codes: 0 done; 1 nothing matched, or `verify` found damage; 2 the command or the query cannot be understood;
3 the library cannot be used (busy, damaged, from a newer version, disk full); 4 a model or an audio file cannot be
used; 130 stopped by Ctrl-C (what was finished is kept).

With ``--json`` every line on stdout is one JSON object and everything else goes to stderr.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.show import EXIT_NOTHING, err, follow, out, plain, print_json, report_status, show_result
from core.errors import CancelledError, KnownError, LibraryError, ModelError, QueryError, UnusableFileError
from core.jobs import CancelToken
from core.types import Span

if TYPE_CHECKING:
    from core.library import Library
    from core.search.query import ClipPart

EXIT_USAGE = 2
EXIT_LIBRARY = 3
EXIT_MATERIAL = 4
EXIT_CANCELLED = 130
# Objects that are made before the interpreter looks for rubbish.
_COLLECT_AFTER = 50_000

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Find sounds in your own library by describing them or by giving an example, offline.",
)


class Device(StrEnum):
    """Where sounds are embedded."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


LibraryOption = Annotated[
    Path | None,
    typer.Option("--library", help="Folder of the library; the platform's data folder if not given."),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where sounds are embedded.")]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Id or name of the model; see `earshot models`. The bundled one if not given."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most this many files.")]


@app.command()
def index(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of sounds.")],
    library: LibraryOption = None,
    device: DeviceOption = Device.AUTO,
    model: ModelOption = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=256, help="Workers; one per core if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add folders and index what is new or changed in them. Ctrl-C stops cleanly; run again to go on."""
    with _open(library, device=device, model=model, write=True) as opened, _cancel_on_interrupt() as cancel:
        follow(opened.index(folders, jobs=jobs, cancel=cancel), as_json=as_json)
        report_status(opened, as_json=as_json, event="done")


@app.command()
def search(
    text: Annotated[str, typer.Argument(help='What it sounds like; also -word, "phrase", AND, OR, field:value.')] = "",
    negative: Annotated[list[str] | None, typer.Option("--not", help="What it must not sound like.")] = None,
    like: Annotated[
        list[str] | None,
        typer.Option("--like", metavar="FILE[@START-END]", help="An example clip, times in seconds."),
    ] = None,
    weight: Annotated[
        list[float] | None,
        typer.Option("--weight", help="How much each part counts, in order: TEXT first, then every --like."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="EXPR", help="A filter: rate>=96k, format=wav, ucs=DOOR*."),
    ] = None,
    limit: LimitOption = 20,
    library: LibraryOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Rank everything, with no relevance cut.")] = False,
    device: DeviceOption = Device.AUTO,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find sounds by describing them, by example clips, by filters, or by all of these."""
    from core.search.query import build_query

    text_weight, clip_weights = _share_weights(weight or [], has_text=bool(text), clips=len(like or []))
    query = build_query(
        text,
        clips=[
            _parse_clip(argument, clip_weight) for argument, clip_weight in zip(like or [], clip_weights, strict=True)
        ],
        negatives=negative or [],
        where=where or [],
        text_weight=text_weight,
    )
    with _open(library, device=device, model=model) as opened:
        show_result(opened.search(query, limit=limit, show_all=everything), as_json=as_json)


@app.command()
def similar(
    file: Annotated[str, typer.Argument(metavar="FILE[@START-END]", help="A sound, inside the library or not.")],
    limit: LimitOption = 20,
    library: LibraryOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Rank everything, with no relevance cut.")] = False,
    device: DeviceOption = Device.AUTO,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find sounds that resemble a file."""
    clip = _parse_clip(file, 1.0)
    with _open(library, device=device, model=model) as opened:
        result = opened.similar(clip.path, span=clip.span, limit=limit, show_all=everything)
        show_result(result, as_json=as_json)


@app.command()
def status(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Say what the library holds."""
    with _open(library) as opened:
        report_status(opened, as_json=as_json)


@app.command()
def skipped(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """List the files that could not be used, each with its reason."""
    with _open(library) as opened:
        rows = opened.skipped()
    for row in rows:
        if as_json:
            print_json({"path": str(row.path), "reason": row.reason})
        else:
            out.print(plain(row.path), style="bold", markup=False, highlight=False, soft_wrap=True)
            out.print(f"  {row.reason}", markup=False, highlight=False, soft_wrap=True)
    if not rows and not as_json:
        out.print("No file was skipped.")


@app.command()
def verify(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Check the database, the files and the index against each other; change nothing."""
    with _open(library) as opened:
        findings = opened.verify()
    for finding in findings:
        if as_json:
            print_json({"check": finding.check, "ok": finding.ok, "message": finding.message})
        else:
            mark = "[green]ok[/]" if finding.ok else "[red]damaged[/]"
            out.print(f"{mark:>8}  ", end="")
            out.print(f"{finding.check}: {finding.message}", markup=False, highlight=False, soft_wrap=True)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_NOTHING)


@app.command()
def reindex(library: LibraryOption = None, device: DeviceOption = Device.AUTO, as_json: JsonOption = False) -> None:
    """Rebuild the search index from the database. Sounds are not decoded again."""
    with _open(library, device=device, write=True) as opened, _cancel_on_interrupt() as cancel:
        follow(opened.reindex(cancel=cancel), as_json=as_json)
        report_status(opened, as_json=as_json, event="done")


@app.command()
def caption(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A file of the library to describe anew; all if not given.")
    ] = None,
    library: LibraryOption = None,
    device: DeviceOption = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Describe sounds in words, which can then be searched. Ctrl-C stops cleanly; run again to go on."""
    with _open(library, device=device, write=True) as opened, _cancel_on_interrupt() as cancel:
        if file is None:
            follow(opened.caption(cancel=cancel), as_json=as_json)
            report_status(opened, as_json=as_json, event="done")
            return
        row = opened.regenerate_caption(opened.file_id_at(file))
    if as_json:
        print_json({"event": "caption", "path": str(file), "caption": row.shown, "confidence": row.confidence})
    else:
        out.print(row.shown, markup=False, highlight=False, soft_wrap=True)


@app.command()
def models(as_json: JsonOption = False) -> None:
    """List the models that can be used: those that search, and the one that describes."""
    from core.library import installed_captioner
    from core.library import models as list_models

    for card in list_models():
        if as_json:
            print_json(card.model_dump(mode="json"))
        else:
            out.print(f"{card.id}  {card.dimension} dimensions, {card.licence}", style="bold", markup=False)
            out.print(f"  {card.description}", markup=False)
    captioner = installed_captioner()
    if captioner is not None:
        if as_json:
            print_json({"kind": "captioner", "id": captioner.id, "description": captioner.description})
        else:
            out.print(f"{captioner.id}  describes sounds", style="bold", markup=False)
            out.print(f"  {captioner.description}", markup=False)


@app.command()
def import_model(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A trained model, or a CLAP checkpoint.")],
    name: Annotated[str | None, typer.Option("--name", help="For the model; the folder's name if not given.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a model from a folder into your own models, so that --model can name it."""
    from core.library import import_model as import_from

    with _cancel_on_interrupt() as cancel:
        follow(import_from(folder, name=name, cancel=cancel), as_json=as_json)


@app.command()
def remove(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that was added before.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a folder out of the library. Its files on disk stay as they are."""
    with _open(library, write=True) as opened:
        count = opened.remove(folder)
    if as_json:
        print_json({"event": "removed", "folder": str(folder), "files": count})
    else:
        out.print(f"{count:,} files were taken out of the library; on disk nothing changed.")


def main() -> None:
    """Run the program and turn known errors into one clear line and an exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    # A command makes a million objects that stay, most of them classes and functions of what it imports; looking
    # through them again and again for rubbish takes a tenth of a search.
    gc.set_threshold(_COLLECT_AFTER)
    try:
        app()
    except KnownError as error:
        err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(_exit_code(error))
    except (CancelledError, KeyboardInterrupt):
        err.print("Stopped. What was finished is kept; run the command again to go on.")
        sys.exit(EXIT_CANCELLED)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has gone: nothing more to say, not even at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    finally:
        # Nor at the end, which would be a sixth of a search: the system takes everything back at once.
        gc.freeze()


def _exit_code(error: KnownError) -> int:
    if isinstance(error, QueryError):
        return EXIT_USAGE
    if isinstance(error, (ModelError, UnusableFileError)):
        return EXIT_MATERIAL
    return EXIT_LIBRARY if isinstance(error, LibraryError) else EXIT_NOTHING


@contextlib.contextmanager
def _open(
    folder: Path | None, *, device: Device = Device.AUTO, model: str | None = None, write: bool = False
) -> Iterator[Library]:
    from core.library import Library

    with Library.open(folder, model=model, device=device.value, read_only=not write) as library:
        yield library


@contextlib.contextmanager
def _cancel_on_interrupt() -> Iterator[CancelToken]:
    """The first Ctrl-C or SIGTERM asks the job to finish what is in flight; a second one ends it at once."""
    cancel = CancelToken()

    def ask(_signal: int, _frame: object) -> None:
        if cancel.cancelled:
            raise KeyboardInterrupt
        cancel.cancel()
        err.print("Stopping after the files in flight; press Ctrl-C again to stop at once.")

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _share_weights(weights: list[float], *, has_text: bool, clips: int) -> tuple[float, list[float]]:
    parts = int(has_text) + clips
    if len(weights) > parts:
        raise QueryError(
            f"{len(weights)} weights were given for {parts} part(s) of the query.",
            "Give one --weight for the text and one for each --like, in that order.",
        )
    padded = weights + [1.0] * (parts - len(weights))
    return (padded[0], padded[1:]) if has_text else (1.0, padded)


def _parse_clip(argument: str, weight: float) -> ClipPart:
    """Read ``FILE`` or ``FILE@START-END``; a file whose very name looks like that wins."""
    from core.search.query import ClipPart

    match = re.fullmatch(r"(.+)@(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", argument, re.DOTALL)
    if match is None or Path(argument).exists():
        return ClipPart(Path(argument), weight=weight)
    start_s, end_s = float(match.group(2)), float(match.group(3))
    if end_s <= start_s:
        raise QueryError(
            f"The stretch {start_s:g}-{end_s:g} ends before it begins.", "Write FILE@START-END in seconds."
        )
    return ClipPart(Path(match.group(1)), Span(start_s, end_s), weight)
