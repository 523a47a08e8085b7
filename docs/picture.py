"""Make docs/certain.png, the README's picture, from a figure of the recorded run: `python docs/picture.py`.

It is the first rows of images of highest, and of lowest, kappa in results/plot/figures/kappa_grids.png.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FIGURE = ROOT / "results/plot/figures/kappa_grids.png"
PICTURE = ROOT / "docs/certain.png"
_ROWS = 2  # of images, of each kind
_TEXT = 60  # pixels; what is not as high is text
_SPACE = 8  # pixels of white around what is kept


def picture() -> Image.Image:
    """The title of each of the figure's first two grids with the first `_ROWS` rows below it, one above the other."""
    with Image.open(FIGURE) as image:
        pixels = np.asarray(image.convert("L"))
    bands = _bands(pixels)
    tall = [bottom - top > _TEXT for top, bottom in bands]
    # Text after text after images: below the last row's class names begins the next grid, with its title.
    second = next(i for i in range(2, len(bands)) if tall[i - 2] and not tall[i - 1] and not tall[i])
    first = tall.index(True) - 1
    kept = [pixels[bands[i][0] - _SPACE : bands[i + 2 * _ROWS][1] + _SPACE] for i in (first, second)]
    return Image.fromarray(np.concatenate(kept))


def _bands(pixels: np.ndarray) -> list[tuple[int, int]]:
    """Top and bottom of every run of rows that are not all white, from (H, W) grey values."""
    inked = np.concatenate([[False], (pixels < 255).any(1), [False]])
    edges = np.flatnonzero(inked[1:] != inked[:-1])
    return list(pairwise(edges.tolist()))[::2]


if __name__ == "__main__":
    picture().save(PICTURE, optimize=True)
