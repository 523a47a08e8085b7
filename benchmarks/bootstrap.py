"""Bootstrap intervals: ours on counts against a loop over resampled rows with scikit-learn and scipy, in one run.

    python benchmarks/bootstrap.py [--images 10000] [--resamples 10000] [--loop 50] [--threads N]

The loop does `--loop` resamples and is scaled up; it would take hours. The last rows are measures of graded crops, 11
to an image, with a tenth of the resamples. Scores are random: their values do not matter to the time. In the loop,
AUROC, FPR95 and Spearman are those of scikit-learn and scipy; AURC, which neither has, is a few lines of numpy.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.stats
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score, roc_curve

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.stats.bootstrap import Bootstrap, Mean, Statistic
from vi_simsiam.stats.ranks import Ranked, auroc, spearman
from vi_simsiam.stats.risk_coverage import Aurc, ExcessAurc, best_aurc

CROPS = 11


def loop(statistic: Callable, image: np.ndarray, images: int, resamples: int) -> float:
    """Seconds per resample of the naive loop."""
    rng = np.random.default_rng(0)
    rows_of = np.argsort(image, kind="stable").reshape(images, -1)
    start = time.perf_counter()
    for _ in range(resamples):
        statistic(rows_of[rng.integers(images, size=images)].ravel())
    return (time.perf_counter() - start) / resamples


def fpr95(right: np.ndarray, score: np.ndarray) -> float:
    """As scikit-learn's users compute it: the false positive rate where the true one first reaches .95."""
    false, true, _ = roc_curve(right, score, drop_intermediate=False)
    return false[np.searchsorted(true, 0.95)]


def aurc(right: np.ndarray, score: np.ndarray) -> float:
    """Mean error rate of the k most certain, over k."""
    wrong = np.cumsum(~right[np.argsort(-score, kind="stable")])
    return (wrong / np.arange(1, len(right) + 1)).mean()


def cases(images: int, per_image: int) -> dict[str, tuple[Statistic, Callable]]:
    """By name: a statistic in our form, and as a function of rows."""
    rng = np.random.default_rng(1)
    image = np.repeat(np.arange(images), per_image)
    score, right = rng.normal(size=len(image)), rng.random(len(image)) < 0.8
    other = rng.normal(size=len(image)) if per_image == 1 else np.tile(np.linspace(0.1, 1, per_image), images)
    ranked = Ranked(score, image)
    ours = Aurc(ranked, right)
    return {
        "AUROC": (auroc(ranked, right), lambda rows: roc_auc_score(right[rows], score[rows])),
        "FPR95": (auroc(ranked, right, fpr95=True), lambda rows: fpr95(right[rows], score[rows])),
        "Spearman": (spearman(ranked, other, image), lambda rows: spearmanr(score[rows], other[rows]).statistic),
        "AURC": (ours, lambda rows: aurc(right[rows], score[rows])),
        "E-AURC": (
            ExcessAurc(ours),
            lambda rows: aurc(right[rows], score[rows]) - best_aurc(1 - right[rows].mean()),
        ),
        "mean": (Mean(right, image), lambda rows: right[rows].mean()),
    }


def against_scipy(images: int, resamples: int, peers: int) -> dict[str, tuple[float, float]]:
    """Resamples per second of each measure and its 95 % interval: ours, and scipy.stats.bootstrap's of the same images.

    The last, "all", are all of them together, which ours computes of the same resamples.

    Args:
        images: number of images, one row each.
        resamples: of ours.
        peers: resamples of scipy's.
    """
    asked = cases(images, 1)
    bootstrap, ours, theirs = Bootstrap(images, resamples, 0), {}, {}
    for name, (statistic, by_rows) in asked.items():
        ours[name] = _seconds(lambda statistic=statistic: bootstrap.one(statistic)) / resamples
        rng = np.random.default_rng(0)
        theirs[name] = (
            _seconds(
                lambda by_rows=by_rows, rng=rng: scipy.stats.bootstrap(
                    (np.arange(images),), by_rows, n_resamples=peers, vectorized=False, method="percentile", rng=rng
                )
            )
            / peers
        )
    statistics = {name: statistic for name, (statistic, _) in asked.items()}
    ours["all"] = _seconds(lambda: bootstrap.estimates(statistics)) / resamples
    theirs["all"] = sum(theirs.values())
    return {name: (1 / ours[name], 1 / theirs[name]) for name in ours}


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--loop", type=int, default=50, help="resamples of the naive loop (default 50)")
    parser.add_argument("--threads", type=int, default=None, help="of ours (default: one per core)")
    args = parser.parse_args()
    print(f"{'measure':>10}{'images':>9}{'rows':>9}{'resamples':>11}{'ours, s':>10}{'loop, s':>10}   loop / ours")
    for per_image, resamples in ((1, args.resamples), (CROPS, max(1, args.resamples // 10))):
        boot = Bootstrap(args.images, resamples, 0, args.threads)
        image = np.repeat(np.arange(args.images), per_image)
        for name, (statistic, by_rows) in cases(args.images, per_image).items():
            start = time.perf_counter()
            boot.one(statistic)
            ours = time.perf_counter() - start
            theirs = resamples * loop(by_rows, image, args.images, args.loop)
            row = f"{name:>10}{args.images:>9}{len(image):>9}{resamples:>11}{ours:>10.2f}"
            print(f"{row}{theirs:>10.1f}   {theirs / ours:.0f}", flush=True)


if __name__ == "__main__":
    main()
