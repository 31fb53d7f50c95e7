"""Earshot in a terminal.

Exit codes: 0 done; 1 nothing matched, or `verify` found damage; 2 the command or the query cannot be understood;
3 the library cannot be used (busy, damaged, from a newer version, disk full); 4 a model or an audio file cannot be
used; 130 stopped by Ctrl-C (what was finished is kept).

With ``--json`` every line on stdout is one JSON object and everything else goes to stderr.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from rich.console import Console

from core.errors import CancelledError, KnownError, LibraryError, ModelError, QueryError, UnusableFileError
from core.jobs import CancelToken, Event, Notice, Progress, Skipped
from core.types import Span

if TYPE_CHECKING:
    from core.library import Library
    from core.search.query import ClipPart
    from core.search.result import Hit, SearchResult

EXIT_NOTHING = 1
EXIT_USAGE = 2
EXIT_LIBRARY = 3
EXIT_MATERIAL = 4
EXIT_CANCELLED = 130

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Find sounds in your own library by describing them or by giving an example, offline.",
)
out = Console()
err = Console(stderr=True)


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
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most this many files.")]


@app.command()
def index(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of sounds.")],
    library: LibraryOption = None,
    device: DeviceOption = Device.AUTO,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=256, help="Workers; one per core if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add folders and index what is new or changed in them. Ctrl-C stops cleanly; run again to go on."""
    with _open(library, device=device, write=True) as opened, _cancel_on_interrupt() as cancel:
        _follow(opened.index(folders, jobs=jobs, cancel=cancel), as_json=as_json)
        _report_status(opened, as_json=as_json, event="done")


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
    with _open(library, device=device) as opened:
        _show_result(opened.search(query, limit=limit, show_all=everything), as_json=as_json)


@app.command()
def similar(
    file: Annotated[str, typer.Argument(metavar="FILE[@START-END]", help="A sound, inside the library or not.")],
    limit: LimitOption = 20,
    library: LibraryOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Rank everything, with no relevance cut.")] = False,
    device: DeviceOption = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Find sounds that resemble a file."""
    clip = _parse_clip(file, 1.0)
    with _open(library, device=device) as opened:
        result = opened.similar(clip.path, span=clip.span, limit=limit, show_all=everything)
        _show_result(result, as_json=as_json)


@app.command()
def status(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Say what the library holds."""
    with _open(library) as opened:
        _report_status(opened, as_json=as_json)


@app.command()
def skipped(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """List the files that could not be used, each with its reason."""
    with _open(library) as opened:
        rows = opened.skipped()
    for row in rows:
        if as_json:
            _print_json({"path": str(row.path), "reason": row.reason})
        else:
            out.print(_plain(row.path), style="bold", markup=False, highlight=False, soft_wrap=True)
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
            _print_json({"check": finding.check, "ok": finding.ok, "message": finding.message})
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
        _follow(opened.reindex(cancel=cancel), as_json=as_json)
        _report_status(opened, as_json=as_json, event="done")


@app.command()
def models(as_json: JsonOption = False) -> None:
    """List the models that can be used."""
    from core.library import models as list_models

    for card in list_models():
        if as_json:
            _print_json(card.model_dump(mode="json"))
        else:
            out.print(f"{card.id}  {card.dimension} dimensions, {card.licence}", style="bold", markup=False)
            out.print(f"  {card.description}", markup=False)


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
        _print_json({"event": "removed", "folder": str(folder), "files": count})
    else:
        out.print(f"{count:,} files were taken out of the library; on disk nothing changed.")


def main() -> None:
    """Run the program and turn known errors into one clear line and an exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
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


def _exit_code(error: KnownError) -> int:
    if isinstance(error, QueryError):
        return EXIT_USAGE
    if isinstance(error, (ModelError, UnusableFileError)):
        return EXIT_MATERIAL
    return EXIT_LIBRARY if isinstance(error, LibraryError) else EXIT_NOTHING


@contextlib.contextmanager
def _open(folder: Path | None, *, device: Device = Device.AUTO, write: bool = False) -> Iterator[Library]:
    from core.library import Library

    with Library.open(folder, device=device.value, read_only=not write) as library:
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


def _follow(events: Iterable[Event], *, as_json: bool) -> None:
    """Show a job's events as they come: a progress bar for people, lines of JSON for programs."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBar

    columns = (
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    # Library files may be named anything, so no text of theirs is read as markup.
    with ProgressBar(*columns, console=err, disable=as_json) as bar:
        tasks: dict[str, Any] = {}
        for event in events:
            if as_json:
                _print_json(_event_fields(event))
            elif isinstance(event, Progress):
                if event.stage not in tasks:
                    tasks[event.stage] = bar.add_task(event.stage, total=event.total, rate="")
                bar.update(tasks[event.stage], completed=event.done, total=event.total)
                elapsed = bar.tasks[tasks[event.stage]].elapsed
                if event.audio_s and elapsed:
                    bar.update(tasks[event.stage], rate=f"{event.audio_s / elapsed:,.0f}x real time")
            elif isinstance(event, Skipped):
                bar.console.print(f"Skipped {_plain(event.path)}: {event.reason}", markup=False, highlight=False)
            else:
                bar.console.print(event.message, markup=False, highlight=False)


def _event_fields(event: Event) -> dict[str, Any]:
    match event:
        case Progress():
            return {
                "event": "progress",
                "stage": event.stage,
                "done": event.done,
                "total": event.total,
                "item": event.item,
                "audio_s": round(event.audio_s, 3),
            }
        case Skipped():
            return {"event": "skipped", "path": event.path, "reason": event.reason}
        case Notice():
            return {"event": "notice", "message": event.message}


def _report_status(library: Library, *, as_json: bool, event: str = "status") -> None:
    from rich.table import Table
    from rich.text import Text

    fields = library.status().as_dict()
    if as_json:
        _print_json({"event": event, **fields})
        return
    err.print(f"Library {_plain(fields['library'])}, searched with {fields['model']}", markup=False, highlight=False)
    table = Table(box=None, header_style="bold")
    columns = ("ready", "scanned", "skipped", "missing")
    for heading in ("folder", *columns, "hours", ""):
        table.add_column(heading, justify="left" if heading in ("folder", "") else "right", overflow="fold")
    for root in fields["roots"]:
        counts = [f"{root[column]:,}" for column in columns]
        note = "offline" if root["offline"] else ""
        table.add_row(Text(_plain(root["path"])), *counts, f"{root['duration_s'] / 3600:.2f}", note)
    counts = [f"{fields[column]:,}" for column in columns]
    table.add_row("all", *counts, f"{fields['duration_s'] / 3600:.2f}", f"{fields['windows']:,} windows")
    out.print(table)


def _show_result(result: SearchResult, *, as_json: bool) -> None:
    if as_json:
        for hit in result.hits:
            _print_json(hit_fields(hit))
    elif result.hits:
        out.print(_table(result.hits))
    if result.nothing_matches:
        err.print("Nothing here matches." if result.considered else "No file passes the filters.")
        if result.closest and not as_json:
            err.print("Closest, but weak (--all shows the rest):")
            err.print(_table(result.closest))
        raise typer.Exit(EXIT_NOTHING)


def hit_fields(hit: Hit) -> dict[str, Any]:
    """One hit as the JSON object that `earshot search --json` prints."""
    return {
        "rank": hit.rank,
        "path": str(hit.path),
        "start_s": None if hit.span is None else round(hit.span.start_s, 3),
        "end_s": None if hit.span is None else round(hit.span.end_s, 3),
        "score": round(hit.score, 4),
        "relevance": round(hit.relevance, 4),
        "category": hit.category,
        "format": hit.container,
        "duration_s": None if hit.duration_s is None else round(hit.duration_s, 3),
        "offline": hit.is_offline,
        "moments": [
            {
                "start_s": round(moment.span.start_s, 3),
                "end_s": round(moment.span.end_s, 3),
                "score": round(moment.score, 4),
                "relevance": round(moment.relevance, 4),
            }
            for moment in hit.moments
        ],
        "why": {
            "parts": [
                {
                    "kind": part.kind,
                    "part": part.label,
                    "weight": part.weight,
                    "score": round(part.score, 4),
                    "relevance": round(part.relevance, 4),
                }
                for part in (*hit.why.parts, *hit.why.negatives)
            ],
            "lexical": [{"field": found.field, "words": list(found.words)} for found in hit.why.lexical],
        },
    }


def _table(hits: Iterable[Hit]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("rank", justify="right")
    table.add_column("file", overflow="fold", ratio=1)
    table.add_column("moment", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("relevance", no_wrap=True)
    table.add_column("category", no_wrap=True)
    for hit in hits:
        steps = round(hit.relevance * 5)
        path = _shown_path(hit.path)
        name = Text(_plain(path.name)).append(f"\n{_plain(path.parent)}", style="dim")
        table.add_row(
            str(hit.rank),
            name,
            "" if hit.span is None else f"{_clock(hit.span.start_s)}–{_clock(hit.span.end_s)}",
            f"{hit.score:.2f}",
            f"{'▮' * steps}{'▯' * (5 - steps)} {hit.relevance:.2f}",
            Text(hit.category),
        )
    return table


def _shown_path(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _plain(value: object) -> str:
    """Text that any terminal can print: bytes of a name that are no UTF-8 become replacement marks."""
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _print_json(fields: dict[str, Any]) -> None:
    # ASCII with escapes keeps one object on one line and names of any bytes intact.
    _json_stream().write(json.dumps(fields) + "\n")


@functools.cache
def _json_stream() -> TextIO:
    """Stdout for our lines alone: what decoders written in C print there goes to stderr from now on."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", buffering=1, encoding="ascii")
    os.dup2(2, 1)
    return stream


if __name__ == "__main__":
    main()
