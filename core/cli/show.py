"""How the terminal shows events, states and hits: tables for people, lines of JSON for programs."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer
from rich.console import Console

from core.jobs import Event, Notice, Progress, Skipped, Written

if TYPE_CHECKING:
    from core.library import Library
    from core.search.result import Hit, SearchResult

EXIT_NOTHING = 1

out = Console()
err = Console(stderr=True)


def follow(events: Iterable[Event], *, as_json: bool) -> None:
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
                print_json(_event_fields(event))
            elif isinstance(event, Progress):
                if event.stage not in tasks:
                    tasks[event.stage] = bar.add_task(event.stage, total=event.total, rate="")
                bar.update(tasks[event.stage], completed=event.done, total=event.total)
                elapsed = bar.tasks[tasks[event.stage]].elapsed
                if event.audio_s and elapsed:
                    bar.update(tasks[event.stage], rate=f"{event.audio_s / elapsed:,.0f}x real time")
            elif isinstance(event, Skipped):
                bar.console.print(f"Skipped {plain(event.path)}: {event.reason}", markup=False, highlight=False)
            elif isinstance(event, Written):
                bar.console.print(f"Written: {plain(event.path)}", markup=False, highlight=False)
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
        case Written():
            return {"event": "written", "path": event.path}


def report_status(library: Library, *, as_json: bool, event: str = "status") -> None:
    """Show what a library holds."""
    from rich.table import Table
    from rich.text import Text

    fields = library.status().as_dict()
    if as_json:
        print_json({"event": event, **fields})
        return
    err.print(f"Library {plain(fields['library'])}, searched with {fields['model']}", markup=False, highlight=False)
    table = Table(box=None, header_style="bold")
    columns = ("ready", "scanned", "skipped", "missing")
    for heading in ("folder", *columns, "hours", ""):
        table.add_column(heading, justify="left" if heading in ("folder", "") else "right", overflow="fold")
    for root in fields["roots"]:
        counts = [f"{root[column]:,}" for column in columns]
        note = "offline" if root["offline"] else ""
        table.add_row(Text(plain(root["path"])), *counts, f"{root['duration_s'] / 3600:.2f}", note)
    counts = [f"{fields[column]:,}" for column in columns]
    table.add_row("all", *counts, f"{fields['duration_s'] / 3600:.2f}", f"{fields['windows']:,} windows")
    out.print(table)


def show_result(result: SearchResult, *, as_json: bool) -> None:
    """Show the hits of a search, or the honest answer that there are none; then the exit code is 1."""
    if as_json:
        for hit in result.hits:
            print_json(hit_fields(hit))
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
        name = Text(plain(path.name)).append(f"\n{plain(path.parent)}", style="dim")
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


def plain(value: object) -> str:
    """Text that any terminal can print: bytes of a name that are no UTF-8 become replacement marks."""
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def print_json(fields: dict[str, Any]) -> None:
    """Write one object as a line on stdout."""
    # ASCII with escapes keeps one object on one line and names of any bytes intact.
    _json_stream().write(json.dumps(fields) + "\n")


@functools.cache
def _json_stream() -> TextIO:
    """Stdout for our lines alone: what decoders written in C print there goes to stderr from now on."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", buffering=1, encoding="ascii")
    os.dup2(2, 1)
    return stream
