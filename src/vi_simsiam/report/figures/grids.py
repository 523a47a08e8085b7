"""Test images of high and of low kappa, over all classes and class by class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from vi_simsiam.report.figures.kappa import NO_KAPPA, kappa_groups, kappa_title
from vi_simsiam.report.figures.style import blocks, message, shortened
from vi_simsiam.report.runs import Run

ROW, GAP = 10, 0.12  # images in a row of a grid, and space between them as a share of an image
_EACH = 5  # images of lowest, and of highest, kappa of a class: together a row
_CLASSES = 10  # shown one by one, at most


def kappa_grids(runs: list[Run], images: int) -> Figure:
    """The `images` test images of highest and of lowest kappa (mean over seeds), named by class; then class by class.

    No image is on both sides: with fewer than 2 x `images` test images each grid gets half of them, and likewise
    within a class.
    """
    groups = kappa_groups(runs)
    if not groups:
        return message(NO_KAPPA)
    tables = [_mean_table(group) for group in groups]
    heights, classes = [], []
    for table in tables:
        rows = -(-min(images, max(1, len(table) // 2)) // ROW)
        label = table.loc[table["label"] >= 0, "label"]
        classes.append([name for name, count in label.value_counts().sort_index().items() if count > 1])
        count = len(classes[-1][:_CLASSES])
        heights.append([0.3 + 0.8 * rows] * 2 + [0.3 + 0.68 * count] * (count > 0))
    titles = [kappa_title(group) for group in groups]
    figure, _, parts = blocks(titles, [0.25 + sum(ratios) for ratios in heights], legend=0)
    for part, group, table, ratios, names in zip(parts, groups, tables, heights, classes, strict=True):
        _draw(part, group[0], table, min(images, len(table) // 2), ratios, names)
    return figure


def _mean_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Index, label, kappa and expected cosine of each image, means over seeds, by rising kappa."""
    table = runs[0].images[["index", "label"]].copy()
    for column in ("kappa", "expected_cosine"):
        table[column] = np.mean([run.images[column] for run in runs], axis=0)
    return table.sort_values("kappa", kind="stable")


def _draw(
    part: FigureBase, run: Run, table: pd.DataFrame, count: int, ratios: Sequence[float], names: Sequence[int]
) -> None:
    pixels, classes = run.test_images(), run.store["classes"]
    highest, lowest, *by_class = np.atleast_1d(part.subplots(len(ratios), 1, height_ratios=ratios))
    # A single image is shown as the highest.
    for axes, rows, name in ((highest, table[::-1][: max(1, count)], "highest"), (lowest, table[:count], "lowest")):
        if rows.empty:
            axes.set_title(f"{name} κ: no other image")
            axes.set_axis_off()
            continue
        kappa, cosine = np.sort(rows["kappa"]), np.sort(rows["expected_cosine"])
        span = f"{kappa[0]:.3g} to {kappa[-1]:.3g} (expected cosine {cosine[0]:.3f} to {cosine[-1]:.3f})"
        axes.set_title(f"{name} κ: {span}")
        for i, (index, label) in enumerate(zip(rows["index"], rows["label"], strict=True)):
            left, top = (i % ROW) * (1 + GAP), (i // ROW) * (1 + GAP + 0.25)
            draw_image(axes, pixels[index], left, top)
            if label >= 0:
                axes.text(left + 0.5, top + 1.04, shortened(classes[label], 11), ha="center", va="top", fontsize=7)
        draw_frame(axes, 0, -(-len(rows) // ROW) * (1 + GAP + 0.25))
    if by_class:
        _by_class(by_class[0], pixels, table, names, classes)


def _by_class(
    axes: Axes, pixels: np.ndarray, table: pd.DataFrame, names: Sequence[int], classes: Sequence[str]
) -> None:
    """A row per class: its images of lowest kappa from the left, those of highest kappa from the right."""
    for row, label in enumerate(names[:_CLASSES]):
        index = table.loc[table["label"] == label, "index"].to_numpy()
        each = min(_EACH, len(index) // 2)
        top = row * (1 + GAP)
        axes.text(-0.1, top + 0.5, shortened(classes[label], 14), ha="right", va="center", fontsize=7)
        for i in range(each):
            draw_image(axes, pixels[index[i]], i * (1 + GAP), top)
            draw_image(axes, pixels[index[len(index) - 1 - i]], (ROW - 1 - i) * (1 + GAP) + GAP, top)
    of = f" (the first {_CLASSES} of {len(names)})" if len(names) > _CLASSES else ""
    axes.set_title(f"within each class{of}: lowest κ at the left, highest at the right")
    draw_frame(axes, -1.6, len(names[:_CLASSES]) * (1 + GAP))


def draw_image(axes: Axes, image: np.ndarray, left: float, top: float) -> None:
    """Draw an image with sides of length 1 at a place of the axes, whose y grows downwards."""
    image = image[..., 0] if image.shape[-1] == 1 else image
    box = (left, left + 1, top + 1, top)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=box, interpolation="nearest")


def draw_frame(axes: Axes, left: float, depth: float) -> None:
    """Set axes without lines around rows of `ROW` images; `depth` is the height of the rows in image sides."""
    axes.set(xlim=(left, ROW * (1 + GAP)), ylim=(depth, 0), aspect="equal")
    axes.set_axis_off()
