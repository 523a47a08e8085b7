"""Every score of every method by task, and the scores that are not shown to be worse than another."""

from collections.abc import Iterable
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vi_simsiam.evaluation import scores
from vi_simsiam.report.figures.style import block_title, blocks, legend_height, message, method_style, methods_legend
from vi_simsiam.report.leaderboard import leaderboard_table, tasks
from vi_simsiam.report.runs import Run, grouped

_STEP = 0.105  # inches between two methods' estimates
_YARDSTICK = "#bbbbbb"


def leaderboard(runs: list[Run]) -> Figure:
    """A panel per task, a row per score and method: mean over seeds, its interval, filled where none is better."""
    table = leaderboard_table(runs)
    groups = {name: group for name, group in grouped(runs, "dataset").items() if (table["dataset"] == name).any()}
    if not groups:
        return message("no score of these runs can be ranked")
    of_datasets = {name: table[table["dataset"] == name] for name in groups}
    rows = {name: score_places(zip(of["score"], of["method"], strict=True)) for name, of in of_datasets.items()}
    titles = [block_title(group, f"{len(group[0].images):,} test images") for group in groups.values()]
    heights = [0.7 + _STEP * (max(places.values()) + 2) for places in rows.values()]
    figure, legend, parts = blocks(titles, heights, legend_height(runs, more=1))
    unranked = Line2D([], [], color=_YARDSTICK, marker="o", linestyle="none", label="not ranked")
    methods_legend(legend, runs, lines=False, extra=[unranked], handlelength=1, columnspacing=1)
    for part, (name, group) in zip(parts, groups.items(), strict=True):
        of_dataset = of_datasets[name]
        shown = [task for task in tasks(group) if (of_dataset["task"] == task.name).any()]
        panels = np.ravel(part.subplots(1, len(shown), sharey=True, squeeze=False))
        for axes, task in zip(panels, shown, strict=True):
            _panel(axes, of_dataset[of_dataset["task"] == task.name], rows[name])
            axes.set(title=fill(task.label, 11), xlabel=fill(_scale(task.measure), 11))
        score_ticks(panels[0], rows[name])
    return figure


def score_places(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """(score, method) -> its place from the top down; a gap between scores."""
    places: dict[tuple[str, str], float] = {}
    place = 0.0
    have = dict.fromkeys(pairs)
    for score in scores.IN_FIGURES:
        members = [pair for pair in have if pair[0] == score]
        for pair in members:
            places[pair] = place
            place += 1
        place += bool(members)
    return places


def _panel(axes: Axes, table: pd.DataFrame, places: dict[tuple[str, str], float]) -> None:
    for row in table.itertuples():
        style, at = method_style(row.method), places[row.score, row.method]
        colour = style.colour if row.best else _YARDSTICK
        fill = {"yes": colour, "no": "white", "": colour}[row.best]
        axes.plot([row.ci_low, row.ci_high], [at, at], color=colour, linewidth=0.8)
        axes.plot(
            [row.estimate], [at], color=colour, marker=style.marker, markersize=3, markerfacecolor=fill,
            markeredgewidth=0.7, linestyle="none",
        )  # fmt: skip
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=3)


def _scale(measure: str) -> str:
    if "auroc" in measure:
        return "AUROC"
    return "share" if "_below_" in measure else "rank correlation"


def score_ticks(axes: Axes, places: dict[tuple[str, str], float]) -> None:
    """A tick for each score in the middle of its methods."""
    of_score: dict[str, list[float]] = {}
    for (score, _), place in places.items():
        of_score.setdefault(score, []).append(place)
    middle = [sum(found) / len(found) for found in of_score.values()]
    axes.set_yticks(middle, [scores.score(name).label for name in of_score])
    axes.set_ylim(max(places.values(), default=0) + 1, -1)
