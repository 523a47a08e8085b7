"""Style of all figures: sizes, colours by method, axes of kappa, and files with reproducible bytes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.files import replacing
from vi_simsiam.evaluation.scores import Score
from vi_simsiam.report.runs import Run
from vi_simsiam.stats.intervals import Estimate, mean_over_seeds

WIDTH = 7.0  # inches: two columns of a paper

_RC = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 7.5, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "legend.fontsize": 7, "figure.titlesize": 8.5, "figure.labelsize": 7.5,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5,
    "ytick.major.size": 2.5, "axes.spines.top": False, "axes.spines.right": False, "axes.titlepad": 4,
    "axes.labelpad": 2, "lines.linewidth": 1.2, "lines.markersize": 4, "legend.frameon": False,
    "legend.handlelength": 2.2, "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.5,
    "axes.axisbelow": True, "figure.constrained_layout.w_pad": 0.03, "figure.constrained_layout.h_pad": 0.03,
    "text.parse_math": False,  # a class or data set named "a$b$" is text
    "svg.fonttype": "none", "svg.hashsalt": "vi_simsiam", "savefig.dpi": 200,
}  # fmt: skip


@dataclass(frozen=True)
class MethodStyle:
    """A method looks the same in every figure; colour, marker and line each tell the methods apart alone."""

    label: str
    colour: str  # Okabe and Ito's palette, then Tol's muted one, safe for the common kinds of colour blindness
    marker: str
    line: str | tuple


_METHODS = {
    "untrained": MethodStyle("untrained", "#777777", "s", (0, (1, 1))),
    "simsiam": MethodStyle("SimSiam", "#0072B2", "^", (0, (5, 1.5))),
    "vi_simsiam": MethodStyle("VI-SimSiam", "#D55E00", "o", "-"),
    "vae": MethodStyle("VAE", "#009E73", "D", (0, (4, 1.2, 1, 1.2))),
    "simclr": MethodStyle("SimCLR", "#56B4E9", "v", (0, (2, 1))),
    "dino": MethodStyle("DINO", "#CC79A7", "P", (0, (3, 1, 1, 1, 1, 1))),
    "mcinfonce": MethodStyle("MCInfoNCE", "#882255", "<", (0, (6, 1, 1, 1))),
    "temperature": MethodStyle("temperature", "#999933", ">", (0, (1, 2))),
    "concentration": MethodStyle("concentration", "#332288", "p", (0, (8, 2))),
    "exponential": MethodStyle("exponential", "#44AA99", "h", (0, (3, 2, 1, 2))),
}


# For methods without a row above, in their order.
_SPARE = (
    ("#E69F00", "X", (0, (7, 1, 3, 1))),
    ("#117733", "*", (0, (1, 3))),
    ("#6699CC", "d", (0, (10, 3))),
    ("#661100", "H", (0, (5, 1, 1, 1, 1, 1))),
    ("#AA4466", "8", (0, (2, 2))),
)


def method_style(method: str) -> MethodStyle:
    """The style of a method. Methods without a row in the table also differ from each other."""
    if method in _METHODS:
        return _METHODS[method]
    others = [*(name for name in METHODS if name not in _METHODS), method]
    return MethodStyle(method, *_SPARE[others.index(method) % len(_SPARE)])


def score_colour(row: Score) -> str:
    """The colour of a certainty score: its row's, else its method's."""
    return row.colour or (method_style(row.method).colour if row.method else "#444444")


@contextmanager
def drawing_style() -> Iterator[None]:
    """The settings of every figure, in place of those of the user's matplotlibrc."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a figure. Its bytes depend on its contents alone: no date, no program's name, fixed element ids."""
    _settle(figure)
    nameless = {"Software": None} if path.suffix == ".png" else {"Date": None, "Creator": None}
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata=nameless)


def _settle(figure: Figure) -> None:
    """Lay the figure out once and round the places.

    The layout's solver orders its equations by memory address, so that places differ by rounding from run to run.
    """
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)  # any engine, even the empty one, would draw each file twice
    parts = list(figure.subfigs)
    for part in parts:
        parts += part.subfigs  # the list grows while it is read: parts of parts
        part.bbox_relative.set_points(part.bbox_relative.get_points().round(6))
        for text in part.texts:
            text.set_position(np.round(text.get_position(), 6))
    for axes in figure.axes:
        axes.set_position(Bbox(axes.get_position(original=True).get_points().round(6)))


def blocks(
    titles: Sequence[str], heights: Sequence[float], legend: float = 0.25
) -> tuple[Figure, FigureBase | None, list[FigureBase]]:
    """A figure of `WIDTH` with parts below each other, each with its title and its height in inches.

    Returns: the figure, a strip of `legend` inches at its top for a legend (None where that is 0), and the parts.
    """
    strip = [legend] if legend else []
    figure = Figure(figsize=(WIDTH, sum(heights) + sum(strip)), layout="constrained")
    ratios = [*strip, *heights]
    parts = np.ravel(figure.subfigures(len(ratios), 1, height_ratios=ratios, squeeze=False)).tolist()
    top = parts.pop(0) if legend else None
    for part, title in zip(parts, titles, strict=True):
        part.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure, top, parts


def block_title(runs: Sequence[Run], sizes: str) -> str:
    """Title of the part about one data set: its name, `sizes` (of what was measured), and the number of seeds."""
    seeds = len({run.seed for run in runs})
    return f"{runs[0].dataset}: {sizes}, {seeds} seed{'s' if seeds > 1 else ''}"


def message(text: str) -> Figure:
    """A small figure with the reason for its being empty: a declared output must exist in every run."""
    figure = Figure(figsize=(3.4, 0.8))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def interval_text(estimate: Estimate) -> str:
    """`+0.12 [+0.05, +0.19]`, with the minus sign of typography; `not estimated` for NaN."""
    if np.isnan(estimate.estimate):
        return "not estimated"
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*estimate[:3]).replace("-", "−")


def shortened(name: str, most: int) -> str:
    """A class name of at most `most` letters."""
    return name if len(name) <= most else name[: most - 1] + "…"


def methods_legend(
    part: FigureBase, runs: Sequence[Run], lines: bool = True, names: Mapping[str, str] | None = None,
    extra: Sequence[Line2D] = (), **changes: Any,
) -> None:  # fmt: skip
    """A legend of the runs' methods, alone in `part`.

    Args:
        lines: with their line styles.
        names: longer names, by method, in rows of three; None: the methods' labels, in the rows of `legend_height`.
        extra: further entries. changes: arguments of matplotlib's `legend`.
    """
    handles = []
    for method in dict.fromkeys(run.method for run in runs):
        style = method_style(method)
        line, label = style.line if lines else "none", names[method] if names else style.label
        handles.append(Line2D([], [], color=style.colour, marker=style.marker, linestyle=line, label=label))
    handles += extra
    # As many columns as make the rows about equally long.
    columns = min(3, len(handles)) if names else -(-len(handles) // _legend_rows(len(handles)))
    part.legend(handles=handles, loc="center", ncols=columns, **changes)


def legend_height(runs: Sequence[Run], more: int = 0) -> float:
    """Inches that a legend of the runs' methods and some more entries takes, for `blocks`."""
    return 0.25 + 0.15 * (_legend_rows(len({run.method for run in runs}) + more) - 1)


def _legend_rows(entries: int) -> int:
    return max(1, -(-entries // 7))  # more than seven in a row are wider than a figure


def draw_estimate(axes: Axes, at: float, estimates: Sequence[Estimate], method: str, across: bool = False,
                  **changes) -> None:  # fmt: skip
    """One quantity of one method: the mean over its seeds, its interval as a bar, and the seeds as small dots.

    `at` is the position on x, or on y when `across` (the quantity then runs along x). `changes` go to the marker.
    """
    style, mean = method_style(method), mean_over_seeds(estimates)
    if np.isnan(mean.estimate):
        return
    values = [one.estimate for one in estimates]
    # The bar is drawn by itself: a bootstrap interval need not contain its estimate, which errorbar refuses.
    bar, seeds = ([mean.ci_low, mean.ci_high], [at, at]), (values, [at] * len(values))
    point = ([mean.estimate], [at])
    turn = slice(None, None, 1 if across else -1)
    axes.plot(*bar[turn], color=style.colour, linewidth=1)
    axes.plot(*point[turn], **{"color": style.colour, "marker": style.marker, "linestyle": "none"} | changes)
    if len(values) > 1:
        axes.plot(*seeds[turn], color="black", marker=".", markersize=2.2, linestyle="none", zorder=3)


def draw_band(axes: Axes, x: np.ndarray, quantiles: np.ndarray, method: str, marker: bool = False) -> None:
    """Median, middle 50 % and middle 90 % of kappa; `quantiles` is (len(x), 5): .05, .25, .5, .75, .95."""
    style = method_style(method)
    axes.fill_between(x, quantiles[:, 0], quantiles[:, 4], color=style.colour, alpha=0.15, linewidth=0)
    axes.fill_between(x, quantiles[:, 1], quantiles[:, 3], color=style.colour, alpha=0.3, linewidth=0)
    axes.plot(x, quantiles[:, 2], color=style.colour, marker=style.marker if marker else None, markersize=3)


def kappa_axis(axes: Axes, which: str, dimension: int, cosine: bool = True, label: bool = True) -> None:
    """Make `which` ("x" or "y") a logarithmic axis of kappa, with the expected cosine on the opposite side.

    kappa / (kappa + d - 1) is a logistic function of log kappa, so both scales are exact. Call it after drawing.
    """
    axis = getattr(axes, f"{which}axis")
    axes.set(**{f"{which}scale": "log"})
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(FixedLocator(log_ticks(low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value < 1e5 else f"{value:.0e}"))
    axes.set(**{f"{which}lim": (low, high)})
    if not cosine:
        return
    # The second axis is a copy of the first in units of kappa, with ticks at round expected cosines.
    add = axes.secondary_xaxis if which == "x" else axes.secondary_yaxis
    other = add("top" if which == "x" else "right")
    ticks = _cosine_ticks(low, high, dimension)
    copy = getattr(other, f"{which}axis")
    copy.set_major_locator(FixedLocator([(dimension - 1) * c / (1 - c) for c in ticks]))
    copy.set_minor_locator(NullLocator())
    copy.set_major_formatter(FuncFormatter(lambda value, _: f"{value / (value + dimension - 1):.3g}"))
    if label:
        other.set(**{f"{which}label": "expected cosine"})


def log_ticks(low: float, high: float) -> list[float]:
    """Up to six round numbers between low and high, from the finest of the usual series that is not too dense."""
    if high < 2 * low:
        return [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    decades = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)
    for steps in ((1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(ticks) <= 6:
            return ticks
    return ticks[:: len(ticks) // 6 + 1]


def _cosine_ticks(low: float, high: float, dimension: int) -> list[float]:
    """Round cosines whose kappa is in the range and that are at least .13 of the axis apart."""
    first, last = np.log(low), np.log(high)
    ticks: list[float] = []
    places: list[float] = []
    # In the order of preference: earlier cosines push out later ones.
    for c in (0.5, 0.8, 0.2, 0.9, 0.95, 0.1, 0.7, 0.99, 0.05, 0.3, 0.6, 0.85, 0.01, 0.98, 0.4, 0.75, 0.65, 0.55, 0.45,
              0.35, 0.97, 0.92, 0.25, 0.15, 0.999, 0.001):  # fmt: skip
        place = (np.log((dimension - 1) * c / (1 - c)) - first) / max(last - first, 1e-9)
        if 0 <= place <= 1 and all(abs(place - other) >= 0.13 for other in places):
            ticks.append(c)
            places.append(place)
    return sorted(ticks)
