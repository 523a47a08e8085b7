"""All figures of the `plot` step, drawn and saved under the names in `names.FIGURES`."""

from pathlib import Path

from vi_simsiam.figures.information import augmentations, crops
from vi_simsiam.figures.kappa import accuracy_by_kappa, kappa_grids, kappa_histogram
from vi_simsiam.figures.methods import methods
from vi_simsiam.figures.style import drawing_style, save
from vi_simsiam.figures.training import training_curves
from vi_simsiam.params import PlotParams
from vi_simsiam.results import Run

DRAWINGS = {
    "training_curves.svg": lambda runs, params: training_curves(runs),
    "kappa_histogram.svg": lambda runs, params: kappa_histogram(runs),
    "kappa_grids.png": lambda runs, params: kappa_grids(runs, params.grid_images),
    "accuracy_by_kappa.svg": lambda runs, params: accuracy_by_kappa(runs, params.quantiles),
    "crops.svg": lambda runs, params: crops(runs),
    "augmentations.svg": lambda runs, params: augmentations(runs),
    "methods.svg": lambda runs, params: methods(runs),
}


def draw_figures(runs: list[Run], params: PlotParams, folder: Path) -> None:
    """Draw every figure of `runs` into `folder`. The same inputs give the same bytes."""
    for name, draw in DRAWINGS.items():
        with drawing_style():
            save(draw(runs, params), folder / name)
