"""Kappa of whole test images: its distribution, its extremes, and accuracy by its quantiles."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from vi_simsiam.figures.style import block_title, blocks, draw_estimate, kappa_axis, message, method_style
from vi_simsiam.results import Run, grouped
from vi_simsiam.summary import accuracy_in_groups, outcomes, sphere_dimension

NO_KAPPA = "no method with kappa in this run"
_CROP_AREAS = (0.1, 0.3, 0.6)  # shown in the histogram: the nearest areas there are
_ROW, _GAP = 10, 0.12  # images in a row of a grid, and space between them as a share of an image


def kappa_groups(runs: list[Run]) -> list[list[Run]]:
    """The runs that have kappa, by (data set, method): each is one part of a figure."""
    return list(grouped([run for run in runs if run.has_kappa], "dataset", "method").values())


def kappa_title(runs: Sequence[Run]) -> str:
    label = method_style(runs[0].method).label
    return block_title(runs, f"{label}, {len(runs[0].images):,} test images")


def kappa_histogram(runs: list[Run]) -> Figure:
    """Share of images by log kappa, whole images against graded crops of some areas; seeds averaged."""
    groups = kappa_groups(runs)
    if not groups:
        return message(NO_KAPPA)
    figure, _, parts = blocks([kappa_title(group) for group in groups], [2.3] * len(groups), legend=False)
    for part, group in zip(parts, groups, strict=True):
        _histogram(part.subplots(), group)
    return figure


def _histogram(axes: Axes, runs: Sequence[Run]) -> None:
    areas = np.unique(runs[0].crops["area"])
    areas = areas[areas < 1]
    shown = sorted({float(areas[np.abs(areas - area).argmin()]) for area in _CROP_AREAS}) if len(areas) else []
    sets = [("whole images", [run.images["kappa"] for run in runs])]
    for area in shown:
        crops = [run.crops.loc[run.crops["area"] == area, "kappa"] for run in runs]
        sets.append((f"crops, {100 * area:g} % of the area", crops))
    pooled = np.concatenate([kappa for _, columns in sets for kappa in columns])
    low, high = np.quantile(pooled, [0.001, 0.999])
    bins = np.geomspace(max(low, 1e-6) * 0.98, max(high, 1e-6) * 1.02, 41)
    colour = method_style(runs[0].method).colour
    greys = ("#111111", "#555555", "#8c8c8c", "#b5b5b5")
    lines = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
    for i, (label, columns) in enumerate(sets):
        shares = np.mean([np.histogram(np.clip(k, bins[0], bins[-1]), bins)[0] / len(k) for k in columns], axis=0)
        if i == 0:
            axes.stairs(100 * shares, bins, fill=True, color=colour, alpha=0.35, linewidth=0)
            axes.stairs(100 * shares, bins, color=colour, linewidth=1.2, label=label)
        else:
            axes.stairs(100 * shares, bins, color=greys[i - 1], linestyle=lines[i - 1], linewidth=1.2, label=label)
    top = axes.get_ylim()[1]
    axes.set(xlabel="κ", ylabel="% of images per bin", ylim=(0, 1.15 * top), xlim=(bins[0], bins[-1]))
    axes.legend(loc="upper center", ncols=len(sets))
    kappa_axis(axes, "x", sphere_dimension(runs[0].images))


def kappa_grids(runs: list[Run], images: int) -> Figure:
    """The `images` test images of highest and of lowest kappa (mean over seeds), named by class.

    No image stands in both grids: with fewer than 2 x `images` test images each grid gets half of them.
    """
    groups = kappa_groups(runs)
    if not groups:
        return message(NO_KAPPA)
    rows = [-(-min(images, len(group[0].images) // 2) // _ROW) for group in groups]
    heights = [0.25 + 2 * (0.3 + 0.8 * count) for count in rows]
    figure, _, parts = blocks([kappa_title(group) for group in groups], heights, legend=False)
    for part, group in zip(parts, groups, strict=True):
        _grids(part, group, images)
    return figure


def _grids(part: FigureBase, runs: Sequence[Run], images: int) -> None:
    table = runs[0].images[["index", "label"]].copy()
    for column in ("kappa", "expected_cosine"):
        table[column] = np.mean([run.images[column] for run in runs], axis=0)
    table = table.sort_values("kappa", kind="stable")
    count = min(images, len(table) // 2)
    pixels, classes = runs[0].test_images(), runs[0].store["classes"]
    highest, lowest = part.subplots(2)
    for axes, rows, name in ((highest, table[::-1][:count], "highest"), (lowest, table[:count], "lowest")):
        kappa, cosine = np.sort(rows["kappa"]), np.sort(rows["expected_cosine"])
        span = f"{kappa[0]:.3g} to {kappa[-1]:.3g} (expected cosine {cosine[0]:.3f} to {cosine[-1]:.3f})"
        axes.set_title(f"{name} κ: {span}")
        _grid(axes, pixels, rows, classes)


def _grid(axes: Axes, pixels: np.ndarray, rows: pd.DataFrame, classes: Sequence[str]) -> None:
    """Images row by row in units of one image's side, each with the name of its class below."""
    for i, (index, label) in enumerate(zip(rows["index"], rows["label"], strict=True)):
        left, top = (i % _ROW) * (1 + _GAP), (i // _ROW) * (1 + _GAP + 0.25)
        image = pixels[index]
        image = image[..., 0] if image.shape[-1] == 1 else image
        box = (left, left + 1, top + 1, top)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=box, interpolation="nearest")
        if label >= 0:
            axes.text(left + 0.5, top + 1.04, _short(classes[label]), ha="center", va="top", fontsize=7)
    depth = -(-len(rows) // _ROW) * (1 + _GAP + 0.25)
    axes.set(xlim=(0, _ROW * (1 + _GAP) - _GAP), ylim=(depth, 0), aspect="equal")
    axes.set_axis_off()


def _short(name: str) -> str:
    return name if len(name) <= 11 else name[:10] + "…"


def accuracy_by_kappa(runs: list[Run], quantiles: int) -> Figure:
    """Accuracy of the linear probe and of k-NN in `quantiles` groups by kappa, whole images and graded crops."""
    groups = kappa_groups(runs)
    if not groups:
        return message(NO_KAPPA)
    figure, _, parts = blocks([kappa_title(group) for group in groups], [2.2] * len(groups), legend=False)
    for part, group in zip(parts, groups, strict=True):
        whole, crops = part.subplots(1, 2)
        _by_quantile(whole, [run.images for run in group], group[0].method, quantiles)
        _by_quantile(crops, [run.crops for run in group], group[0].method, quantiles)
        whole.set(title="whole images", ylabel="accuracy")
        crops.set_title(f"graded crops ({group[0].crops['area'].nunique()} areas)")
    return figure


def _by_quantile(axes: Axes, tables: Sequence[pd.DataFrame], method: str, quantiles: int) -> None:
    size = len(outcomes(tables[0], "correct")) // quantiles
    axes.set_xlabel(f"group by κ, lowest first (about {size:,} each)" if size else "no labelled images")
    looks = {"linear probe": ("correct", -0.1, {}), "k-NN": ("knn_correct", 0.1, {"markerfacecolor": "white"})}
    for label, (column, shift, look) in looks.items():
        per_seed = [accuracy_in_groups(table, "kappa", column, quantiles) for table in tables]
        for g in range(quantiles):
            name = label if g == 0 else None  # one entry in the legend
            draw_estimate(axes, g + 1 + shift, [e[g] for e in per_seed], method, label=name, **look)
    axes.set(xticks=range(1, quantiles + 1))
    axes.grid(visible=False, axis="x")
    if size:
        axes.legend(loc="lower right")
