"""The tables of the `plot` step, and the statistics that its figures share."""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from vi_simsiam.report.runs import Run
from vi_simsiam.stats.bootstrap import Estimate
from vi_simsiam.uncertainty import scores
from vi_simsiam.uncertainty.measures import measured_scores, outcomes

_SCORED = ("auroc_correct", "auroc_crop_correct", "spearman_crop_area")


def summary_table(runs: list[Run]) -> pd.DataFrame:
    """A row per run, in the order of `runs`.

    Columns: dataset, method, seed, knn_top1, probe_top1 (shares in 0..1), then the estimate of every uncertainty
    measure that any run has, in alphabetical order; NaN where a run lacks it.
    """
    rows = []
    for run in runs:
        row = {"dataset": run.dataset, "method": run.method, "seed": run.seed}
        row |= {name: run.probe.get(name) for name in ("knn_top1", "probe_top1")}
        rows.append(row | {name: measure["estimate"] for name, measure in run.measures.items()})
    table = pd.DataFrame(rows)
    first = ["dataset", "method", "seed", "knn_top1", "probe_top1"]
    measures = sorted(set(table.columns) - set(first))
    return table[first + measures].astype(dict.fromkeys(["knn_top1", "probe_top1", *measures], float))


def measures_table(runs: list[Run]) -> pd.DataFrame:
    """A row per run and measure, with its 95 % interval over test images.

    Columns: dataset, method, seed, measure, estimate, ci_low, ci_high, n (test images). The accuracies on whole images
    come first, with Wilson intervals; the others have bootstrap intervals.
    """
    rows = []
    for run in runs:
        accuracies = {"knn_top1": "knn_correct", "probe_top1": "correct"}
        right = {name: outcomes(run.images, column)[column] for name, column in accuracies.items()}
        found = {name: wilson(correct)._asdict() for name, correct in right.items() if len(correct)}
        for name, measure in (found | run.measures).items():
            rows.append({"dataset": run.dataset, "method": run.method, "seed": run.seed, "measure": name} | measure)
    return pd.DataFrame(rows, columns=["dataset", "method", "seed", "measure", "estimate", "ci_low", "ci_high", "n"])


def quantiles_table(runs: list[Run], quantiles: int) -> pd.DataFrame:
    """Accuracy in groups of equal size by every certainty score of every run.

    Columns: dataset, method, seed, score, on (images or crops), classifier (probe or knn), quantile (1 holds the lowest
    certainty), accuracy with its 95 % Wilson interval ci_low and ci_high, n (observations in the group).
    """
    rows = []
    for run in runs:
        for on, table in (("images", run.images), ("crops", run.crops)):
            for score in measured_scores(table):
                for classifier, column in (("probe", "correct"), ("knn", "knn_correct")):
                    for i, found in enumerate(accuracy_in_groups(table, score, column, quantiles), start=1):
                        if found.n:
                            rows.append((run.dataset, run.method, run.seed, score, on, classifier, i, *found))
    columns = ["dataset", "method", "seed", "score", "on", "classifier", "quantile", "accuracy", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=[*columns, "n"])


def headline(runs: list[Run]) -> dict[str, dict[str, dict[str, float]]]:
    """The few figures worth a `dvc metrics diff`: data set -> method -> measure -> mean over seeds (4 digits).

    They are the two accuracies, the measures that belong to no score (mean accuracies over graded crops, mean
    expected cosine), and for the method's own score its AUROCs and its Spearman correlation with the crop area.
    Measures without an estimate are left out.
    """
    table = summary_table(runs)
    kept = ["knn_top1", "probe_top1", *(name for name in table.columns[5:] if "/" not in name)]
    kept += [f"{measure}/{score}" for score in scores.OWN for measure in _SCORED if f"{measure}/{score}" in table]
    out: dict[str, dict[str, dict[str, float]]] = {}
    for (dataset, method), rows in table.groupby(["dataset", "method"], sort=False):
        means = rows[kept].mean()
        out.setdefault(dataset, {})[method] = {name: round(float(v), 4) for name, v in means.items() if v == v}
    return out


def wilson(correct: np.ndarray, image: np.ndarray | None = None) -> Estimate:
    """A proportion with its 95 % Wilson score interval, which stays inside [0, 1] and keeps a width at 0 and 1.

    Args:
        correct: (n,) bool or 0/1.
        image: (n,) which image each observation comes from. Observations of one image are not independent;
            the interval then uses the effective sample size n / design effect, the design effect being estimated
            from the images' totals (Franco et al. 2019, J. Survey Statistics and Methodology 7:334). None: all
            observations are independent, and the interval is scipy's `binomtest(...).proportion_ci("wilson")`.

    Returns: the estimate; `n` is the number of observations. NaN for n = 0.
    """
    correct = np.asarray(correct, dtype=float)
    n = len(correct)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    p = float(correct.mean())
    size = float(n) if image is None else _effective_size(correct, np.asarray(image), p)
    z = float(norm.ppf(0.975))
    centre = (p + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * math.sqrt(p * (1 - p) / size + z**2 / (4 * size**2))
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half), n)


def _effective_size(correct: np.ndarray, image: np.ndarray, p: float) -> float:
    n = len(correct)
    _, which = np.unique(image, return_inverse=True)
    residuals = np.bincount(which, weights=correct - p)
    clusters = len(residuals)
    if clusters == n:
        return float(n)
    # No spread (all right, all wrong, or one image) shows no design effect: count the images, which is cautious.
    variance = clusters / max(clusters - 1, 1) * float(residuals @ residuals) / n**2
    return min(n, p * (1 - p) / variance) if variance > 0 and clusters > 1 else float(clusters)


def mean_over_seeds(estimates: Iterable[Estimate | dict]) -> Estimate:
    """Mean of the estimates, and of their bounds and sizes: the mean result and the typical interval of one seed.

    The interval says how far the test images determine one seed's result, and nothing about the spread over seeds,
    which is to be shown beside it; `over_seeds` has the interval for both. Estimates that are NaN or None are left out.
    """
    values = _estimated(estimates)
    return Estimate(*map(float, values.mean(axis=0))) if len(values) else Estimate(math.nan, math.nan, math.nan, 0)


def over_seeds(estimates: Iterable[Estimate | dict]) -> Estimate:
    """Mean over seeds with a 95 % interval for the two errors it has: the test images and the training's randomness.

    All seeds are tested on the same images, so the images' error does not shrink with more seeds: it is the mean
    distance from the estimate to its bound. The seeds' error is that of a mean, t s / sqrt(n) with Student's t for n
    seeds and their standard deviation s; it is zero, that is unknown, with one seed. The two are added in quadrature,
    each side for itself. Estimates that are NaN or None are left out; n is the mean of their sizes.
    """
    values = _estimated(estimates)
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan, 0)
    estimate, n = values[:, 0].mean(), len(values)
    seeds = t.ppf(0.975, n - 1) * values[:, 0].std(ddof=1) / math.sqrt(n) if n > 1 else 0.0
    # A bootstrap interval may lie beside its estimate: that side's distance is then 0.
    low, high = (max(0.0, distance) for distance in (estimate - values[:, 1].mean(), values[:, 2].mean() - estimate))
    low, high = estimate - math.hypot(low, seeds), estimate + math.hypot(high, seeds)
    return Estimate(float(estimate), float(low), float(high), float(values[:, 3].mean()))


def _estimated(estimates: Iterable[Estimate | dict]) -> np.ndarray:
    """Those that have an estimate: (seeds, 4)."""
    rows = [Estimate(**e) if isinstance(e, dict) else e for e in estimates]
    values = np.array([row for row in rows if row.estimate is not None], dtype=float).reshape(-1, 4)
    return values[~np.isnan(values[:, 0])]


def estimate_of(run: Run, measure: str) -> Estimate:
    """A measure of a run by its name in metrics.json; NaN where the run lacks it."""
    found = run.measures.get(measure, {})
    return Estimate(*(math.nan if found.get(field) is None else found[field] for field in Estimate._fields))


def own_score(images: pd.DataFrame) -> str | None:
    """The method's own certainty score, if the table of its images has one."""
    return next((score for score in scores.OWN if score in images), None)


def shown_score(images: pd.DataFrame) -> str:
    """The score by which images are grouped and sorted: the method's own, or the common one where it has none."""
    return own_score(images) or scores.COMMON


def accuracy_in_groups(table: pd.DataFrame, score: str, correct: str, quantiles: int) -> list[Estimate]:
    """Accuracy (column `correct`) in each group of equal size by `score`, lowest first, with its interval.

    Only rows with a label count; rows of one test image (its graded crops) count as dependent.
    """
    table = outcomes(table, correct)
    group = quantile_groups(table[score].to_numpy(), quantiles)
    right, image = table[correct].to_numpy(dtype=float), table["index"].to_numpy()
    return [wilson(right[group == g], image[group == g]) for g in range(quantiles)]


def quantile_groups(score: np.ndarray, groups: int) -> np.ndarray:
    """Group of each observation by its rank: 0 (lowest score) to groups - 1, sizes equal up to one.

    Ties are broken by position, so that the groups keep their sizes when many scores are equal.
    """
    order = np.argsort(score, kind="stable")
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.arange(len(order)) * groups // max(len(order), 1)
    return group


def sphere_dimension(images: pd.DataFrame) -> int:
    """d of the latent sphere, from a table with kappa and its expected cosine kappa / (kappa + d - 1)."""
    kappa, cosine = images["kappa"].to_numpy(float), images["expected_cosine"].to_numpy(float)
    alive = (cosine > 0) & (cosine < 1)
    if not alive.any():
        return 2
    return 1 + max(1, round(float(np.median(kappa[alive] * (1 - cosine[alive]) / cosine[alive]))))
