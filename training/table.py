"""Figures of runs as tables: in the terminal, as Markdown and CSV, and as a plot; the papers' beside ours."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from core.errors import KnownError
from training.checkpoint import FIGURES_FILE, write_whole
from training.metrics.retrieval import RetrievalFigures
from training.recipe import RECIPE_FILE, PaperRow, load_any
from training.retrieval.evaluate import FIGURES

SHOWN = (
    "map_at_10",
    "recall_at_1",
    "recall_at_5",
    "recall_at_10",
    "a2t_recall_at_1",
    "a2t_recall_at_5",
    "a2t_recall_at_10",
)
_PLOTTED = ("map_at_10", "recall_at_1")
TITLES = {
    "map_at_10": "mAP@10",
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "a2t_map_at_10": "A2T mAP@10",
    "a2t_recall_at_1": "A2T R@1",
    "a2t_recall_at_5": "A2T R@5",
    "a2t_recall_at_10": "A2T R@10",
    "recall_sum": "sum of recalls",
    "a2t_unscaled_recall_at_1": "A2T R@1, raw losses",
    "cider_d": "CIDEr-D",
    "sbert_sim": "SBERT",
}


class ReportError(KnownError):
    """There is nothing to report."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures of several seeds: mean and standard deviation (0 for one seed)."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return mean(self.values)

    @property
    def deviation(self) -> float:
        """Of the sample, n - 1; 0 for one seed."""
        return stdev(self.values) if len(self.values) > 1 else 0.0

    def told(self, *, percent: bool = True) -> str:
        """ "14.4 ± 0.4" in percent."""
        scale = 100 if percent else 1
        text = f"{scale * self.mean:.1f}" if percent else f"{self.mean:.3f}"
        if len(self.values) < 2:
            return text
        return f"{text} ± {scale * self.deviation:.1f}" if percent else f"{text} ± {self.deviation:.3f}"


@dataclass(slots=True)
class Row:
    """Runs that differ by their seed alone.

    Attributes:
        name: For the table.
        figures: By name, one value a seed.
        paper: The published row, if there is one.
        data: What they were measured on.
    """

    name: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    paper: PaperRow | None = None
    data: str = ""

    def spread(self, name: str) -> Spread | None:
        """A figure over the seeds, or None where no run has it."""
        values = self.figures.get(name)
        return Spread(tuple(values)) if values else None


def print_figures(console: Console, figures: Mapping[str, Any], *, label: str = "as the recipe scores") -> None:
    """One run's or model's figures."""
    table = Table("", *(TITLES[name] for name in SHOWN))
    table.add_row(label, *(f"{100 * figures[name]:.2f}" for name in SHOWN))
    vector = figures.get("vector")
    if vector is not None:
        table.add_row("one vector for a sound", *(f"{100 * vector[name]:.2f}" for name in SHOWN))
    console.print(table)


def print_categories(console: Console, found: Mapping[str, RetrievalFigures]) -> None:
    """mAP@10 for each kind of sound."""
    table = Table("kind", "captions", "mAP@10")
    for category, figures in found.items():
        table.add_row(category, str(figures.queries), f"{100 * figures.map_at_10:.1f}")
    console.print(table)


def run_folders(places: Iterable[Path]) -> list[Path]:
    """Finished runs: the folders themselves, or those below them.

    Raises:
        ReportError: There is none.
    """
    found = [file.parent for place in places for file in sorted(place.rglob(FIGURES_FILE))]
    if not found:
        raise ReportError("There is no finished run with figures.json in the given folders.", "Train a recipe first.")
    return list(dict.fromkeys(found))


def collect(places: Iterable[Path]) -> list[Row]:
    """Rows of finished runs; those of one recipe on the same data with other seeds are one row.

    Raises:
        ReportError: There is none, or one is damaged.
    """
    rows: dict[str, Row] = {}
    for folder in run_folders(places):
        recipe = load_any(folder / RECIPE_FILE)
        told = recipe.model_dump(mode="json")
        told.pop("seed", None)
        # These name other runs, which have seeds of their own.
        told["starts_from"] = bool(told.get("starts_from"))
        if told.get("distillation"):
            told["distillation"]["teachers"] = len(told["distillation"]["teachers"])
        if told.get("auxiliary"):
            told["auxiliary"].pop("captions")
        try:
            figures = json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8"))
            data = str(figures.get("data", ""))
        except (OSError, ValueError, AttributeError) as error:
            raise ReportError(f"The figures in {folder} cannot be read: {error}.") from error
        key = json.dumps([told, data], sort_keys=True)
        name = folder.parent.name if folder.name.startswith("seed") else folder.name
        row = rows.setdefault(key, Row(name, paper=getattr(recipe, "paper", None), data=data))
        for figure, value in figures.items():
            if isinstance(value, int | float):
                row.figures.setdefault(figure, []).append(float(value))
    return list(rows.values())


def markdown(rows: Sequence[Row], *, data: str = "", shown: Sequence[str] = SHOWN) -> str:
    """A table in percent: each row's mean and standard deviation, and under it the paper's figures, if it has some.

    Args:
        rows: See `collect`.
        data: What all of them were measured on, in place of what each says.
        shown: Figures.
    """
    lines = [
        "| run | data | seeds | " + " | ".join(TITLES.get(name, name) for name in shown) + " |",
        "|---|---|---|" + "---|" * len(shown),
    ]
    for row in rows:
        spreads = [row.spread(name) for name in shown]
        seeds = max((len(spread.values) for spread in spreads if spread), default=0)
        cells = [spread.told() if spread else "" for spread in spreads]
        lines.append(f"| {row.name} | {_measured_on(row, data)} | {seeds} | " + " | ".join(cells) + " |")
        if row.paper is not None and any(name in row.paper.figures for name in shown):
            published = [f"{100 * row.paper.figures[name]:.1f}" if name in row.paper.figures else "" for name in shown]
            told = f"*{row.paper.paper}, {row.paper.table}: {row.paper.row}*"
            lines.append(f"| {told} | {row.paper.data} | | " + " | ".join(published) + " |")
    return "\n".join(lines) + "\n"


def _measured_on(row: Row, data: str) -> str:
    return data or row.data or "own data"


def table_csv(rows: Sequence[Row], *, data: str = "") -> str:
    """The same with all figures from 0 to 1, one line a figure and row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        ["run", "data", "figure", "seeds", "mean", "standard_deviation", "paper", "paper_data", "published"]
    )
    for row in rows:
        for name in [*FIGURES, *(name for name in row.figures if name not in FIGURES)]:
            spread = row.spread(name)
            if spread is None:
                continue
            published = "" if row.paper is None else row.paper.figures.get(name, "")
            paper = ("", "") if row.paper is None else (row.paper.paper, row.paper.data)
            values = [len(spread.values), f"{spread.mean:.6f}", f"{spread.deviation:.6f}"]
            writer.writerow([row.name, _measured_on(row, data), name, *values, *paper, published])
    return text.getvalue()


def plot(rows: Sequence[Row], path: Path, *, title: str = "") -> None:
    """Bars of the figure that most rows have, with the spread over seeds, and a mark where the paper's figure lies."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Captioners have no mAP.
    figure = max(_PLOTTED, key=lambda name: sum(row.spread(name) is not None for row in rows))
    drawn = [(row, spread) for row in rows if (spread := row.spread(figure)) is not None][::-1]
    canvas = Figure(figsize=(8, 0.8 + 0.34 * len(drawn)), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots()
    places = range(len(drawn))
    values = [100 * spread.mean for _, spread in drawn]
    errors = [100 * spread.deviation for _, spread in drawn]
    axes.barh(places, values, xerr=errors, color="#5b7f95", ecolor="#222222", capsize=3, tick_label=_labels(drawn))
    published = {
        place: 100 * row.paper.figures[figure]
        for place, (row, _) in enumerate(drawn)
        if row.paper is not None and figure in row.paper.figures
    }
    if published:
        axes.plot(list(published.values()), list(published), "D", color="#b5552b", label="the paper, on its own data")
        axes.legend()
    axes.set_xlabel(f"{TITLES.get(figure, figure)}, %")
    axes.set_title(title)
    image = io.BytesIO()
    canvas.savefig(image, format="png", dpi=120)
    write_whole(path, image.getvalue())


def _labels(drawn: Sequence[tuple[Row, Spread]]) -> list[str]:
    """Names of rows, with the data where two have the same name."""
    names = [row.name for row, _ in drawn]
    return [f"{row.name}, {row.data}" if names.count(row.name) > 1 and row.data else row.name for row, _ in drawn]


def write_report(rows: Sequence[Row], folder: Path, *, data: str = "") -> None:
    """`report.md`, `report.csv` and `report.png`; `data` as in `markdown`.

    Raises:
        KnownError: The folder cannot be written.
    """
    places = dict.fromkeys(_measured_on(row, data) for row in rows)
    write_whole(folder / "report.md", markdown(rows, data=data).encode())
    write_whole(folder / "report.csv", table_csv(rows, data=data).encode())
    plot(rows, folder / "report.png", title=f"Measured on: {', '.join(places)}")
