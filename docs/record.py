"""Record a finished `make paper`: tables and figures in docs/results/digits, the tables of pages, the picture.

`python docs/record.py` (or `make record`). Nothing is written unless results/plot is of the whole paper run.
"""

import shutil
import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tables
from vi_simsiam.core import record
from vi_simsiam.core.command import run
from vi_simsiam.core.errors import Problem

PLOT = tables.ROOT / "results/plot"
RECORDED = tables.ROOT / "docs/results/digits"
TABLES = ("claims.csv", "leaderboard.csv", "measures.csv", "quantiles.csv")
FIGURES = ("claims.svg", "crops.svg", "methods.svg")
PICTURE = tables.ROOT / "docs/certain.png"
_ROWS = 2  # of images, of each kind
_TEXT = 60  # pixels; a band that is lower is text
_SPACE = 8  # pixels of white around what is kept


def main() -> None:
    paper = yaml.safe_load((tables.ROOT / "studies/paper.yaml").read_text(encoding="utf-8"))
    wanted = [f"digits/{method}/seed{seed}" for method, seed in product(paper["methods"], paper["seeds"])]
    done = record.read(PLOT)
    if done["runs"] != sorted(wanted):
        raise Problem(f"{PLOT} shows {len(done['runs'])} runs, not the {len(wanted)} of the paper. `make paper` first.")
    record.verify(PLOT, *TABLES, *(f"figures/{name}" for name in (*FIGURES, "kappa_grids.png")))
    RECORDED.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        shutil.copyfile(PLOT / name, RECORDED / name)
    for name in FIGURES:
        shutil.copyfile(PLOT / "figures" / name, RECORDED / name)
    picture(PLOT / "figures/kappa_grids.png").save(PICTURE, optimize=True)
    tables.main()


def picture(figure: Path) -> Image.Image:
    """The README's picture: the first rows of the images of highest, and of lowest, kappa.

    Args:
        figure: kappa_grids.png, grids with a title above each and class names below each row.
    """
    with Image.open(figure) as image:
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
    run(main)
