"""Picture of the images with the lowest and the highest scores."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vi_simsiam.core.text import printable
from vi_simsiam.evaluation import scores
from vi_simsiam.report.figures.grids import GAP, ROW, draw_frame, draw_image
from vi_simsiam.report.figures.style import blocks, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # at run time after `report.figures`, which chooses its backend

Side = tuple[pd.DataFrame, Sequence[np.ndarray]]
_TEXT = 0.25  # space below an image for its name, as a share of its side


def extremes(lowest: Side, highest: Side, score: str) -> "Figure":
    """Two grids of images with their file names.

    Args:
        lowest, highest: the table of each side, most extreme first, and the pixels of each row, uint8 (size, size,
            channels).
        score: column that they are sorted by; the tables also have `path` and `percentile`.
    """
    label = scores.score(score).label
    sides = [("most uncertain", *lowest), ("most certain", *highest)]
    sides = [side for side in sides if len(side[1])]
    depths = [-(-len(table) // ROW) * (1 + GAP + _TEXT) for _, table, _ in sides]
    titles = [f"{title}: {_span(table, score, label)}" for title, table, _ in sides]
    figure, _, parts = blocks(titles, [0.3 + 0.62 * depth for depth in depths], legend=0)
    for part, (_, table, pixels), depth in zip(parts, sides, depths, strict=True):
        axes = part.subplots()
        for i, (path, image) in enumerate(zip(table["path"], pixels, strict=True)):
            left, top = (i % ROW) * (1 + GAP), (i // ROW) * (1 + GAP + _TEXT)
            draw_image(axes, image, left, top)
            name = shortened(printable(PurePosixPath(path).name), 13)
            axes.text(left + 0.5, top + 1.04, name, ha="center", va="top", fontsize=6)
        draw_frame(axes, 0, depth)
    return figure


def _span(table: pd.DataFrame, score: str, label: str) -> str:
    (low, high), (first, last) = ((table[name].min(), table[name].max()) for name in (score, "percentile"))
    return f"{label} {low:.3g} to {high:.3g} (percentile {first:.1f} to {last:.1f})".replace("-", "−")
