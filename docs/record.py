"""Record a finished `make paper`: tables and figures in docs/results/digits, tables in pages, the README's picture.

`python docs/record.py` (or `make record`). Nothing is written unless results/plot shows the whole paper run.
"""

import shutil
import sys
from itertools import product
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
# First and last row of pixels of what the picture takes from kappa_grids.png of the paper run: the title and the first
# two rows of images, of the highest and of the lowest kappa.
_PARTS = ((37, 394), (761, 1118))


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
    """The README's picture, from kappa_grids.png: images of highest, and of lowest, kappa with their classes."""
    with Image.open(figure) as image:
        pixels = np.asarray(image.convert("L"))
    return Image.fromarray(np.concatenate([pixels[first:last] for first, last in _PARTS]))


if __name__ == "__main__":
    run(main)
