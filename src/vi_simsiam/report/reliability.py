"""Warnings about certainty scores that are not reliable. The checks need no labels."""

import numpy as np

from vi_simsiam.evaluation import scores
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import own_score

# A reliable score is lower on crops than on their image, and lower where the views of an image do not agree.
# (measure, its value by chance, the fault where it is no larger than that)
_SIGNS = (
    ("crop_below_whole", 0.5, "is no higher on whole images than on crops of them"),
    ("spearman_view_agreement", 0.0, "does not follow the agreement of an image's views"),
)
ADVICE = "Do not rank images by it: train longer or on more images, and look again (docs/troubleshooting.md)."


def reliability_warnings(runs: list[Run]) -> dict[tuple[str, str], str]:
    """A sentence for each data set and method whose own certainty score fails a check.

    A check fails where the lower end of its measure's 95 % interval over test images, as a mean over the seeds, is not
    above chance.

    Returns: by (data set, method), in the order of `runs`; no entry for a score that passes all checks.
    """
    sentences = {}
    for (dataset, method), members in grouped(runs, "dataset", "method").items():
        if (score := own_score(members[0].images)) is None:
            continue
        missing = []
        for measure, chance, wrong in _SIGNS:
            low = np.mean([run.estimate(f"{measure}/{score}").ci_low for run in members])
            if low <= chance:  # not where a run lacks the measure: NaN
                missing.append(wrong)
        if missing:
            what = f"{scores.score(score).label} of {method} on {dataset} {' and '.join(missing)}."
            sentences[dataset, method] = f"{what} {ADVICE}"
    return sentences
