"""The paper's claims, decided by a rule: a quantity, a threshold and a side of it. docs/reading.md explains each."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from vi_simsiam.core.errors import Problem
from vi_simsiam.evaluation.measures import outcomes
from vi_simsiam.report.claim_rows import INFORMATION, OUTCOMES, RANGES, Claim
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.stats.bootstrap import Bootstrap, Mean
from vi_simsiam.stats.decisions import LEVEL, Errors, holm, p_value
from vi_simsiam.stats.intervals import Estimate, over_seeds
from vi_simsiam.stats.ranks import Ranked, spearman

COLUMNS = (
    "claim", "dataset", "method", "estimate", "ci_low", "ci_high", "verdict",
    "p", "p_holm", "verdict_holm", "decidable", "se_images", "sd_seeds", "seeds", "images",
    "threshold",
)  # fmt: skip
_RESAMPLES = 2000  # of the test images, where two runs are compared; metrics.json is about one run


class ClaimResult(NamedTuple):
    """The result of a claim about a method on a data set.

    Args:
        seeds: estimate of each seed.
        estimate: over the seeds, within the range of the quantity.
        p_holm: `p`, adjusted by Holm's method for the number of claims about the data set.
    """

    claim: Claim
    dataset: str
    method: str
    seeds: list[Estimate]
    estimate: Estimate
    p_holm: float = np.nan

    @property
    def verdict(self) -> str:
        return self.claim.verdict(self.estimate)

    @property
    def p(self) -> float:
        """Two-sided p-value of the threshold, from the interval of the verdict."""
        return p_value(self.seeds, self.claim.threshold)

    @property
    def verdict_holm(self) -> str:
        """The verdict after the correction for multiple testing."""
        return self.verdict if self.p_holm < LEVEL else "inconclusive"


# Claims about VI-SimSiam against SimSiam: the name, the table, and the column that says whether a prediction is right.
_COMPETITIVE = (
    ("competitive_knn", "images", "knn_correct"),
    ("competitive_probe", "images", "correct"),
    ("competitive_crop_knn", "crops", "knn_correct"),
    ("competitive_crop_probe", "crops", "correct"),
)


def findings(runs: list[Run], margin: float) -> list[ClaimResult]:
    """Results of all claims whose inputs the runs have, by data set.

    Args:
        margin: how far an accuracy may be below SimSiam's and still be competitive.
    """
    out = []
    for dataset, group in grouped(runs, "dataset").items():
        methods = grouped(group, "method")
        results = []
        for method, ours in methods.items():
            for claim, seeds in _claims(ours, methods if ours[0].has_kappa else {}, margin):
                if seeds:
                    estimate = over_seeds(seeds)
                    low, high = np.clip([estimate.ci_low, estimate.ci_high], *RANGES[claim.scale])
                    estimate = estimate._replace(ci_low=float(low), ci_high=float(high))
                    results.append(ClaimResult(claim, dataset, method, seeds, estimate))
        adjusted = holm([result.p for result in results])
        out += [result._replace(p_holm=float(p)) for result, p in zip(results, adjusted, strict=True)]
    return out


def claims_table(results: list[ClaimResult]) -> pd.DataFrame:
    """A row per result: the columns `COLUMNS`, which docs/reading.md explains."""
    rows = []
    for result in results:
        errors = Errors.of(result.seeds)
        head = (result.claim.name, result.dataset, result.method, *result.estimate[:3], result.verdict)
        tests = (result.p, result.p_holm, result.verdict_holm, errors.decidable())
        rows.append((*head, *tests, errors.images, errors.seeds, errors.n, result.estimate.n, result.claim.threshold))
    return pd.DataFrame(rows, columns=COLUMNS)


def _claims(ours: list[Run], others: dict[str, list[Run]], margin: float) -> Iterator[tuple[Claim, list[Estimate]]]:
    """The claims about one method's runs on one data set, each with the estimates of the seeds that have one.

    Args:
        others: the methods to compare with.
    """
    for name, table, column in _COMPETITIVE:
        yield (
            Claim(name, "difference", -margin),
            _paired(ours, others.get("simsiam", []), partial(difference, table=table, column=column)),
        )
    augmentations = dict.fromkeys(name for run in ours for name in run.graded["augmentation"].unique())
    graded = [
        (Claim(f"kappa_falls_with_{name}", "correlation", 0, above=False), f"spearman_{name}/kappa")
        for name in augmentations
    ]
    for claim, measure in (*INFORMATION, *graded, *OUTCOMES):
        yield claim, _measured(ours, measure)
    yield Claim("kappa_agrees_with_dino", "correlation", 0), _paired(ours, others.get("dino", []), dino_correlation)
    prefix, suffix = "ood_auroc_", "/kappa"
    for measure in dict.fromkeys(name for run in ours for name in run.measures):
        if measure.startswith(prefix) and measure.endswith(suffix):
            other = measure.removeprefix(prefix).removesuffix(suffix)
            yield Claim(f"kappa_lower_on_{other}", "probability", 0.5), _measured(ours, measure)


def _measured(runs: list[Run], measure: str) -> list[Estimate]:
    return [run.measures[measure] for run in runs if measure in run.measures]


def _paired(ours: list[Run], theirs: list[Run], compare: Callable[[Run, Run], Estimate | None]) -> list[Estimate]:
    """Compare runs with equal seeds; a seed that only one of the methods has is left out."""
    by_seed = {run.seed: run for run in theirs}
    estimates = [compare(run, by_seed[run.seed]) for run in ours if run.seed in by_seed]
    return [estimate for estimate in estimates if estimate is not None]


def difference(ours: Run, theirs: Run, table: str, column: str) -> Estimate | None:
    """Accuracy of one run minus the accuracy of another on the same test images, resampled as pairs.

    Args:
        table: `images` or `crops`; an image's crops are averaged first, because a resample draws them together.
        column: `correct` (probe) or `knn_correct`.

    Returns: None without labels. Where the two runs agree on every image, all resamples are equal; the interval is
        then an exact binomial bound on the share of images on which they differ.
    """
    _same_images(ours, theirs)
    first, second = (outcomes(getattr(run, table), column) for run in (ours, theirs))
    if not len(first) or not len(second):
        return None
    right = [rows.groupby("index")[column].mean() for rows in (first, second)]
    values = (right[0] - right[1]).to_numpy()
    if not values.any():
        bound = 1 - 0.025 ** (1 / len(values))
        return Estimate(0.0, -bound, bound, len(values))
    return Bootstrap(len(values), _RESAMPLES, seed=0).one(Mean(values))


def dino_correlation(ours: Run, dino: Run) -> Estimate | None:
    """Rank correlation over test images of kappa and minus the entropy of DINO's categorical output."""
    _same_images(ours, dino)
    kappa, certainty = ours.images["kappa"], dino.images.get("negative_entropy")
    if certainty is None or not (np.isfinite(kappa).all() and np.isfinite(certainty).all()):
        return None
    return Bootstrap(len(kappa), _RESAMPLES, seed=0).one(spearman(Ranked(kappa), Ranked(certainty)))


def _same_images(first: Run, second: Run) -> None:
    if not first.images[["index", "label"]].equals(second.images[["index", "label"]]):
        raise Problem(
            f"{first.path('uncertainty', 'images.parquet')} and {second.path('uncertainty', 'images.parquet')} are of "
            "different test images. Delete them and run the step again."
        )
