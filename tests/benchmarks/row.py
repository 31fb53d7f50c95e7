"""The lines of the benchmarks' table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One line of the benchmark's table.

    Attributes:
        name: What was measured.
        value: The figure with its unit.
        target: What it should be, or an empty string.
        passed: Whether it is; None where there is no target.
    """

    name: str
    value: str
    target: str = ""
    passed: bool | None = None


def show(title: str, rows: Iterable[BenchRow]) -> bool:
    """Print a table; returns whether every target was met."""
    table = Table("measured", "value", "target", "", title=title, title_justify="left", box=None, header_style="bold")
    met = True
    for row in rows:
        mark = "" if row.passed is None else "met" if row.passed else "missed"
        met &= row.passed is not False
        table.add_row(row.name, row.value, row.target, mark)
    Console(width=120).print(table)
    return met
