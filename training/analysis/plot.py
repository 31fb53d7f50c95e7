"""Plots of captions' language, drawn without a screen (Tymofieiev 2025, figures 4.4 and 4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import KnownError
from training.analysis.richness import Richness, common_words
from training.data.storage import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ("#1f6f8b", "#d1762b", "#5b8c3a", "#8a4fa3", "#b33a4c", "#666666")
_WAY_OUT = "Install what training needs: pip install earshot[train]."
CLOUD_WORDS = 100


class PlotError(KnownError):
    """A package that draws is not installed."""


def colour(number: int) -> str:
    """The colour of a set, by its number."""
    return _COLOURS[number % len(_COLOURS)]


def new_figure(*, width: float, height: float) -> Figure:
    """A figure that needs no screen, in inches.

    Raises:
        PlotError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError("Plots need matplotlib, which is not installed.", _WAY_OUT) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, complete or not at all.

    Raises:
        StorageError: There is no space.
    """
    replace_file(path, lambda partial: figure.savefig(partial, dpi=150))


def plot_mtld_density(sets: Sequence[Richness], path: Path) -> None:
    """Kernel density of each set's MTLD, up to the 99th percentile of them all."""
    from matplotlib.mlab import GaussianKDE

    figure = new_figure(width=7, height=4)
    axes = figure.add_subplot()
    most = float(np.percentile(np.concatenate([one.mtld for one in sets]), 99))
    grid = np.linspace(0, max(most, 1.0), 400)
    for number, one in enumerate(sets):
        if float(one.mtld.std()) > 0:
            density = GaussianKDE(one.mtld.astype(np.float64))(grid)
            axes.plot(grid, density, color=colour(number), label=one.name)
            axes.fill_between(grid, density, color=colour(number), alpha=0.25)
        else:  # A density of one value is infinite there.
            axes.axvline(float(one.mtld[0]), color=colour(number), label=one.name)
    axes.set(xlabel="MTLD of a clip's captions", ylabel="density", xlim=(0, grid[-1]))
    axes.legend()
    save_figure(figure, path)


def plot_mtld_violins(sets: Sequence[Richness], path: Path) -> None:
    """A violin of each set's MTLD with its median."""
    figure = new_figure(width=2.5 + 1.5 * len(sets), height=4.5)
    axes = figure.add_subplot()
    parts = axes.violinplot([one.mtld.astype(np.float64) for one in sets], showmedians=True, showextrema=True)
    for number, body in enumerate(parts["bodies"]):  # type: ignore[arg-type, var-annotated]
        body.set_facecolor(colour(number))
        body.set_alpha(0.6)
    axes.set_xticks(range(1, len(sets) + 1), [one.name for one in sets])
    axes.set_ylabel("MTLD of a clip's captions")
    save_figure(figure, path)


def plot_word_cloud(one: Richness, path: Path, *, number: int = 0) -> dict[str, int]:
    """The set's hundred most frequent words without function words, as a cloud; also given back.

    Raises:
        PlotError: wordcloud is not installed.
    """
    try:
        from wordcloud import STOPWORDS, WordCloud
    except ImportError as error:
        raise PlotError("Word clouds need wordcloud, which is not installed.", _WAY_OUT) from error
    words = common_words(one.frequencies, frozenset(STOPWORDS), count=CLOUD_WORDS)
    if not words:
        return words
    shade = colour(number)
    cloud = WordCloud(
        width=1200, height=700, background_color="white", random_state=0, color_func=lambda *_, **__: shade
    ).generate_from_frequencies(words)
    figure = new_figure(width=8, height=4.9)
    axes = figure.add_subplot()
    axes.imshow(np.asarray(cloud.to_array()))
    axes.set_axis_off()
    axes.set_title(one.name)
    save_figure(figure, path)
    return words
