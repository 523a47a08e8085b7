"""Measures of neighbour consistency, the one score that no run has alone: it is of all seeds of a method together."""

import numpy as np

from vi_simsiam.evaluation.measures import measured_scores, of_images
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.stats.bootstrap import Bootstrap
from vi_simsiam.stats.neighbours import neighbour_consistency

SCORE = "neighbour_consistency"
_RESAMPLES = 1000


def add_neighbour_consistency(runs: list[Run]) -> None:
    """Add to the measures of each run those of its method's neighbour consistency.

    The certainty is the same for all seeds, what is right and wrong is of each. A method of one seed has none, nor one
    whose embeddings are the same for all seeds, as features of a frozen encoder are.
    """
    for members in grouped(runs, "dataset", "method").values():
        if len(members) < 2:
            continue
        consistency = neighbour_consistency([run.neighbours for run in members])
        if np.ptp(consistency) == 0:
            continue
        for run in members:
            images = run.images.drop(columns=measured_scores(run.images)).assign(**{SCORE: consistency})
            estimates = Bootstrap(len(images), _RESAMPLES, seed=0).estimates(of_images(images))
            run.measures.update({name: estimate._asdict() for name, estimate in estimates.items()})
