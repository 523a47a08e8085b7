"""All figures of the `plot` step, drawn and saved under the names in `names.FIGURES`."""

from pathlib import Path

from vi_simsiam.config.schema import PlotParams
from vi_simsiam.report.figures.certainty import accuracy_by_certainty, risk_coverage
from vi_simsiam.report.figures.claims import claims
from vi_simsiam.report.figures.embedding import embedding_map
from vi_simsiam.report.figures.grids import kappa_grids
from vi_simsiam.report.figures.information import augmentations, crops
from vi_simsiam.report.figures.kappa import kappa_histogram, kappa_vs_dino
from vi_simsiam.report.figures.methods import methods
from vi_simsiam.report.figures.style import drawing_style, save
from vi_simsiam.report.figures.training import objective_terms, training_curves
from vi_simsiam.report.runs import Run

DRAWINGS = {
    "claims.svg": lambda runs, params: claims(runs, params.margin),
    "methods.svg": lambda runs, params: methods(runs),
    "accuracy_by_certainty.svg": lambda runs, params: accuracy_by_certainty(runs, params.quantiles),
    "risk_coverage.svg": lambda runs, params: risk_coverage(runs),
    "crops.svg": lambda runs, params: crops(runs),
    "augmentations.svg": lambda runs, params: augmentations(runs),
    "kappa_vs_dino.svg": lambda runs, params: kappa_vs_dino(runs),
    "kappa_histogram.svg": lambda runs, params: kappa_histogram(runs),
    "kappa_grids.png": lambda runs, params: kappa_grids(runs, params.grid_images),
    "embedding_map.png": lambda runs, params: embedding_map(runs),
    "training_curves.svg": lambda runs, params: training_curves(runs),
    "objective_terms.svg": lambda runs, params: objective_terms(runs),
}


def draw_figures(runs: list[Run], params: PlotParams, folder: Path) -> None:
    """Draw every figure of `runs` into `folder`. The same inputs give the same bytes."""
    for name, draw in DRAWINGS.items():
        with drawing_style():
            save(draw(runs, params), folder / name)
