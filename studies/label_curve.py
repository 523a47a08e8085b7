"""Accuracy after so many labels, by the order of labelling, from a finished run of the folder that this is called in.

    python studies/label_curve.py cifar10_lite vi_simsiam studies/label_curve.csv

A logistic regression of the encoder's features is fitted to the images that an order puts first, and tested on all test
images. The pool of each seed is another random half of the training images, so that seeds differ on a frozen encoder.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from vi_simsiam.evaluation.knn import directions, neighbours
from vi_simsiam.report.runs import Run
from vi_simsiam.report.tables import own_score
from vi_simsiam.stats.covering import covering
from vi_simsiam.stats.intervals import over_seeds, wilson

BUDGETS = (10, 20, 40, 80, 160)
C = 10.0  # inverse strength of the regression's penalty, on unit vectors
K = 20  # neighbours of knn_density
RANDOM = "at random"
# Order of labelling: rows of a pool, best first, from its unit vectors (N, dim), a count and a seed.
Order = Callable[[np.ndarray, int, int], np.ndarray]


def nearest_to_centres(x: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Images nearest to the centres of k-means; where two centres share one, they are fewer."""
    centres = KMeans(count, n_init=1, random_state=seed).fit(x).cluster_centers_
    return np.unique((x @ centres.T - (centres**2).sum(1) / 2).argmax(0))


def lowest_density(x: np.ndarray, count: int, seed: int) -> np.ndarray:
    bank = torch.from_numpy(x)
    density = neighbours(bank, bank, K, leave_one_out=True)[0].mean(1).numpy()
    return np.argsort(density, kind="stable")[:count]


ORDERS: dict[str, Order] = {
    "label_first": lambda x, count, seed: covering(x, count),
    "k-means centres": nearest_to_centres,
    RANDOM: lambda x, count, seed: np.random.default_rng(seed).permutation(len(x))[:count],
    "lowest knn_density": lowest_density,
}
OF_CERTAINTY: dict[str, Order] = {  # of a method's own score, (N,), where it has one
    "lowest certainty": lambda certainty, count, seed: np.argsort(certainty, kind="stable")[:count],
    "highest certainty": lambda certainty, count, seed: np.argsort(-certainty, kind="stable")[:count],
}


def curve(runs: list[Run]) -> pd.DataFrame:
    """A row per order and budget: mean accuracy over the runs' seeds with its 95 % interval.

    `random_labels` is how many labels at random reach that accuracy, between budgets by their logarithm; missing where
    none of the budgets does.
    """
    rows = []
    for run in runs:
        data = run.data / run.dataset
        x, y = _unit(np.load(run.path("probe", "features_train.npy"))), np.load(data / "labels_train.npy")
        x_test, y_test = _unit(np.array(run.test_features)), np.load(data / "labels_test.npy")
        x_test, y_test = x_test[y_test >= 0], y_test[y_test >= 0]
        labelled = np.random.default_rng(run.seed).permutation(np.flatnonzero(y >= 0))
        pool = np.sort(labelled[: len(labelled) // 2])
        orders = {name: (order, x) for name, order in ORDERS.items()}
        if (score := own_score(run.train_images)) is not None:
            certainty = run.train_images[score].to_numpy()
            orders |= {name: (order, certainty) for name, order in OF_CERTAINTY.items()}
        for name, (order, values) in orders.items():
            for budget in (budget for budget in BUDGETS if budget < len(pool)):
                first = pool[order(values[pool], budget, run.seed)]
                right = _predicted(x[first], y[first], x_test) == y_test
                rows.append({"order": name, "labels": budget, "accuracy": wilson(right)})
    means = [
        {"order": name, "labels": budget} | over_seeds(of["accuracy"])._asdict()
        for (name, budget), of in pd.DataFrame(rows).groupby(["order", "labels"], sort=False)
    ]
    table = pd.DataFrame(means)
    random = table[table["order"] == RANDOM]
    random = random[random["estimate"].cummax().diff().fillna(1) > 0]  # more labels that gain nothing are not needed
    table["random_labels"] = np.exp(
        np.interp(table["estimate"], random["estimate"], np.log(random["labels"]), left=np.nan, right=np.nan)
    )
    return table


def _unit(features: np.ndarray) -> np.ndarray:
    return directions(torch.from_numpy(features)).numpy()


def _predicted(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    if len(np.unique(y)) == 1:
        return np.full(len(x_test), y[0])
    return LogisticRegression(C=C, max_iter=1000).fit(x, y).predict(x_test)


if __name__ == "__main__":
    dataset, method, table = sys.argv[1:]
    seeds = sorted(int(path.name.removeprefix("seed")) for path in Path("results/probe", dataset, method).glob("seed*"))
    found = curve([Run(dataset, method, seed, Path("data/cache_views"), Path("results")) for seed in seeds])
    found.to_csv(table, index=False, float_format="%.4f", lineterminator="\n")
