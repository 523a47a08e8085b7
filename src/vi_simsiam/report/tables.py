"""Tables of the `plot` step, and functions that the tables and the figures share."""

import numpy as np
import pandas as pd

from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.measures import measured_scores, outcomes
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.stats.intervals import Estimate, wilson

RANKING_COLUMNS = ("dataset", "method", "rank", "path", "split", "index", "class", "score", "certainty", "spread")
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
        rows.append(row | {name: measure.estimate for name, measure in run.measures.items()})
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
        shares = {name: wilson(correct) for name, correct in right.items() if len(correct)}
        for name, measure in (shares | run.measures).items():
            rows.append((run.dataset, run.method, run.seed, name, *measure))
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
                    for i, accuracy in enumerate(accuracy_in_groups(table, score, column, quantiles), start=1):
                        if accuracy.n:
                            rows.append((run.dataset, run.method, run.seed, score, on, classifier, i, *accuracy))
    columns = ["dataset", "method", "seed", "score", "on", "classifier", "quantile", "accuracy", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=[*columns, "n"])


def ranking_table(runs: list[Run]) -> pd.DataFrame:
    """A row per image for every method with an own certainty score, the least certain image first.

    The images are those of the test split. Where no image has a label, the training images are also in the table.

    Columns: dataset, method; rank, 1 for the least certain; path of the image in its archive (its number in a data set
    that is no archive of files); split, train or test; index, its row in the split; class, blank without a label;
    score, the name of the method's own score; certainty, the score's mean over the seeds; spread, its standard
    deviation over the seeds (NaN for one seed).
    """
    parts = []
    for (dataset, method), members in grouped(runs, "dataset", "method").items():
        score = own_score(members[0].images)
        if score is None:
            continue
        classes = members[0].store["classes"]
        splits = [_certainties("test", members, [run.images for run in members], score)]
        if (members[0].images["label"] < 0).all():
            splits.append(_certainties("train", members, [run.train_images for run in members], score))
        table = pd.concat(splits, ignore_index=True).assign(dataset=dataset, method=method, score=score)
        table["class"] = [classes[label] if label >= 0 else None for label in table["label"]]
        table = table.sort_values("certainty", kind="stable")
        table["rank"] = np.arange(1, len(table) + 1)
        parts.append(table)
    return (
        pd.concat(parts, ignore_index=True)[list(RANKING_COLUMNS)]
        if parts
        else pd.DataFrame(columns=list(RANKING_COLUMNS))
    )


def _certainties(split: str, members: list[Run], tables: list[pd.DataFrame], score: str) -> pd.DataFrame:
    """A row per image of a split: the columns of `ranking_table` about one image, and its label, -1 for none."""
    values, index = np.array([table[score] for table in tables], float), tables[0]["index"].to_numpy()
    return pd.DataFrame(
        {
            "path": members[0].sources(split).reindex(index).to_numpy(),
            "split": split,
            "index": index,
            "label": tables[0].get("label", -1),
            "certainty": values.mean(0),
            "spread": values.std(0, ddof=1) if len(values) > 1 else np.nan,
        }
    )


def headline(runs: list[Run]) -> dict[str, dict[str, dict[str, float]]]:
    """The measures for `dvc metrics diff`: data set -> method -> measure -> mean over seeds (4 digits).

    They are the two accuracies, the measures that belong to no score (mean accuracies over graded crops, mean
    expected cosine), and the AUROCs of the method's own score and its Spearman correlation with the crop area.
    Undefined measures are left out.
    """
    table = summary_table(runs)
    measures = ["knn_top1", "probe_top1", *(name for name in table.columns[5:] if "/" not in name)]
    measures += [f"{measure}/{score}" for score in scores.OWN for measure in _SCORED if f"{measure}/{score}" in table]
    out: dict[str, dict[str, dict[str, float]]] = {}
    for (dataset, method), rows in table.groupby(["dataset", "method"], sort=False):
        means = rows[measures].mean()
        out.setdefault(dataset, {})[method] = {name: round(float(v), 4) for name, v in means.items() if v == v}
    return out


def own_score(images: pd.DataFrame) -> str | None:
    """The method's own certainty score, if the table of its images has one."""
    return next((score for score in scores.OWN if score in images), None)


def shown_score(images: pd.DataFrame) -> str:
    """The score by which images are grouped and sorted: the method's own, or the common one where it has none."""
    return own_score(images) or scores.COMMON


def accuracy_in_groups(table: pd.DataFrame, score: str, correct: str, quantiles: int) -> list[Estimate]:
    """Accuracy (column `correct`) in each group of equal size by `score`, lowest first, with its interval.

    Sizes are equal up to one; equal scores are ordered by position. Only rows with a label count; rows of one test
    image (its graded crops) count as dependent.
    """
    table = outcomes(table, correct)
    place = np.argsort(np.argsort(table[score].to_numpy(), kind="stable"))
    group = place * quantiles // max(len(place), 1)
    right, image = table[correct].to_numpy(dtype=float), table["index"].to_numpy()
    return [wilson(right[group == g], image[group == g]) for g in range(quantiles)]


def sphere_dimension(images: pd.DataFrame) -> int:
    """d of the latent sphere, from a table with kappa and its expected cosine kappa / (kappa + d - 1)."""
    kappa, cosine = images["kappa"].to_numpy(float), images["expected_cosine"].to_numpy(float)
    alive = (cosine > 0) & (cosine < 1)
    if not alive.any():
        return 2
    return 1 + max(1, round(float(np.median(kappa[alive] * (1 - cosine[alive]) / cosine[alive]))))
