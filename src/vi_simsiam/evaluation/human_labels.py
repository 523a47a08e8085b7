"""Human uncertainty about the class of an image: soft labels, in the format of CIFAR-10H.

CIFAR-10H (Peterson et al. 2019, arXiv 1908.07086) is an array of 10,000 x 10 counts of annotators, or their shares, in
the order of CIFAR-10's test set.
"""

from pathlib import Path

import numpy as np
from scipy.special import entr

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.store import Store

_AGREEMENT = 0.5  # least share of images whose most frequent answer is the label: far below people, far above chance


def label_entropy(path: Path, store: Store) -> np.ndarray:
    """Entropy of the annotators' answers for each stored test image: (n,) nats.

    Args:
        path: `.npy`, (all test images x classes) counts or probabilities in test-set order, or of the stored images
            alone, in their order.
        store: of the data set; it states which test images are stored.

    Raises: Problem naming the file and what is wrong with it.
    """
    table, labels = _read(path), store.labels("test")
    rows = np.arange(len(labels)) if len(table) == len(labels) else _stored_rows(store)
    if table.shape[1] != len(store.classes) or rows is None or rows.max() >= len(table):
        raise _wrong(
            path,
            f"it holds {' x '.join(map(str, table.shape))} numbers, for {len(labels)} test images of"
            f" {len(store.classes)} classes",
        )
    chosen = table[rows]
    agreement = np.mean(chosen.argmax(1) == labels)
    if agreement < _AGREEMENT:
        raise _wrong(
            path,
            f"its most frequent answer is the label of only {agreement:.0%} of the images: another order, or data set",
        )
    return entr(chosen / chosen.sum(1, keepdims=True)).sum(1)


def _read(path: Path) -> np.ndarray:
    try:
        table = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _wrong(path, f"it cannot be read ({error})") from None
    if not isinstance(table, np.ndarray) or table.ndim != 2 or table.dtype.kind not in "iuf":
        raise _wrong(path, "it is not one table of numbers")
    if not np.isfinite(table).all() or (table < 0).any():
        raise _wrong(path, "some of its numbers are negative or not finite")
    if (empty := np.flatnonzero(table.sum(1) == 0)).size:
        raise _wrong(path, f"row {empty[0]} is all zeros")
    return table.astype(float)


def _stored_rows(store: Store) -> np.ndarray | None:
    """Rows of the test set that a store of some of its images holds; None where images have paths instead of rows."""
    names = store.sources("test")["path"].astype(str)
    return np.array([int(name) for name in names]) if len(names) and all(map(str.isdecimal, names)) else None


def _wrong(path: Path, why: str) -> Problem:
    return Problem(
        f"{path}: {why}. Soft labels are a .npy of test images x classes, counts or probabilities in test-set order"
        " (as CIFAR-10H's cifar10h-counts.npy): correct the file, or set uncertainty.soft_labels to null."
    )
