"""Bootstrap intervals: ours on counts against a loop over resampled rows with scikit-learn and scipy, in one run.

    python benchmarks/bootstrap.py [--images 10000] [--resamples 10000] [--loop 50] [--threads N]

The loop does `--loop` resamples and is scaled up; it would take hours. The last rows are measures of graded crops, 11
to an image, with a tenth of the resamples. Scores are random: their values do not matter to the time.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.stats
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.stats.bootstrap import Bootstrap, Statistic
from vi_simsiam.stats.ranks import Ranked, auroc, spearman
from vi_simsiam.stats.risk_coverage import Aurc

CROPS = 11


def loop(statistic: Callable, image: np.ndarray, images: int, resamples: int) -> float:
    """Seconds per resample of the naive loop."""
    rng = np.random.default_rng(0)
    rows_of = np.argsort(image, kind="stable").reshape(images, -1)
    start = time.perf_counter()
    for _ in range(resamples):
        statistic(rows_of[rng.integers(images, size=images)].ravel())
    return (time.perf_counter() - start) / resamples


def cases(images: int, per_image: int) -> dict[str, tuple[Statistic, Callable | None]]:
    """By name: a statistic in our form, and as a function of rows (None: no library has it)."""
    rng = np.random.default_rng(1)
    image = np.repeat(np.arange(images), per_image)
    score, right = rng.normal(size=len(image)), rng.random(len(image)) < 0.8
    other = rng.normal(size=len(image)) if per_image == 1 else np.tile(np.linspace(0.1, 1, per_image), images)
    return {
        "AUROC": (auroc(score, right, image), lambda rows: roc_auc_score(right[rows], score[rows])),
        "Spearman": (spearman(score, other, image), lambda rows: spearmanr(score[rows], other[rows])),
        "AURC": (Aurc(Ranked(score, image), right), None),
    }


def against_scipy(images: int, resamples: int) -> tuple[float, float]:
    """Resamples per second of an AUROC and its 95 % interval: ours, and scipy.stats.bootstrap's of the same pairs."""
    statistic, by_rows = cases(images, 1)["AUROC"]
    start = time.perf_counter()
    Bootstrap(images, resamples, 0, None).one(statistic)
    ours = resamples / (time.perf_counter() - start)
    few = max(10, resamples // 20)
    start = time.perf_counter()
    scipy.stats.bootstrap(
        (np.arange(images),),
        by_rows,
        n_resamples=few,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return ours, few / (time.perf_counter() - start)


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
            row = f"{name:>10}{args.images:>9}{len(image):>9}{resamples:>11}{ours:>10.2f}"
            if by_rows is not None:
                theirs = resamples * loop(by_rows, image, args.images, args.loop)
                row += f"{theirs:>10.1f}   {theirs / ours:.0f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
