"""Choose the images for training and for testing."""

import numpy as np
import torch

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.randomness import generator


def stratified_sample(labels: np.ndarray, count: int, draw: torch.Generator) -> np.ndarray:
    """`count` of len(labels) images drawn without replacement, every class in proportion.

    The images are ordered by class, and at random within a class. From this list `count` are taken at even steps from a
    random start (systematic sampling). So every image is equally likely, and a class of m images gives
    m * count / len(labels) of them, rounded up or down. Images without a label (-1) are one class.

    Args:
        labels: (N,) integers. count: 0..N. draw: gives the random order.

    Returns: (count,) int64 indices, rising.
    """
    n = len(labels)
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    shuffled = torch.randperm(n, generator=draw).numpy()
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    step = (np.arange(n + 1) * count + int(torch.randint(n, (1,), generator=draw))) // n
    return np.sort(by_class[step[1:] > step[:-1]])


def split_rows(
    labels_train: np.ndarray,
    labels_test: np.ndarray | None,
    test_fraction: float,
    train_images: int | None,
    test_images: int | None,
    seed: int,
    evaluate_on: str = "test",
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the images to train and to test on.

    Args:
        labels_train: (N,) of the source's training set. labels_test: of its test set; None if it has none.
        test_fraction: share of the training set to hold out, for testing if there is no test set, and for validation.
        train_images, test_images: number of images to use, drawn in proportion to the classes; None: all.
        seed: of these draws.
        evaluate_on: "validation" tests on images held out from those that "test" would train on. The test images of
            "test" stay unused.
        groups: (N,) integers, the group of each image of the training set, such as a patient. Images of one group are
            held out together. None: images are independent.

    Returns: rows of the training set to train on, and rows to test on: of the test set if there is one and
        `evaluate_on` is "test", else of the training set. Both rise.
        If test images are drawn, every class has at least one image to train on. Groups are held out whole: the first
        groups in a random order whose number of images is nearest to the share.
    Raises: Problem if there are fewer images than `train_images` or `test_images`, or none.
    """
    train = np.arange(len(labels_train))
    if labels_test is None:
        train, test = _held_out(train, labels_train, test_fraction, generator(seed, "test split"), groups)
        labels_test = labels_train
    else:
        test = np.arange(len(labels_test))
    if evaluate_on == "validation":
        train, test = _held_out(train, labels_train, test_fraction, generator(seed, "validation split"), groups)
        labels_test = labels_train
    return (
        _subset(train, labels_train, train_images, generator(seed, "train images"), "train"),
        _subset(test, labels_test, test_images, generator(seed, "test images"), "test"),
    )


def _held_out(
    rows: np.ndarray, labels: np.ndarray, share: float, draw: torch.Generator, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to hold out; every class has at least one row to train on."""
    if groups is not None:
        return _groups_held_out(rows, labels, share, draw, groups)
    number, images = np.unique(labels[rows], return_counts=True)
    free = rows[~np.isin(labels[rows], number[(number >= 0) & (images == 1)])]
    held = free[stratified_sample(labels[free], min(round(share * len(rows)), len(free)), draw)]
    rest = np.setdiff1d(rows, held)  # of a class of two, a large share may still have taken both
    classes, first = np.unique(labels[held], return_index=True)
    saved = held[first[(classes >= 0) & ~np.isin(classes, labels[rest])]]
    return np.union1d(rest, saved), np.setdiff1d(held, saved)


def _groups_held_out(
    rows: np.ndarray, labels: np.ndarray, share: float, draw: torch.Generator, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    names, images = np.unique(groups[rows], return_counts=True)
    order = torch.randperm(len(names), generator=draw).numpy()
    distance = np.abs(np.cumsum(images[order]) - share * len(rows))
    # At least one group on each side; a single group is not held out.
    count = min(int(distance.argmin()) + 1, len(names) - 1)
    held = set(names[order[:count]].tolist())
    for label in np.unique(labels[rows]):
        of_class = set(groups[rows][labels[rows] == label].tolist())
        if label >= 0 and of_class <= held:  # the first of them in the order, so that the class can be learnt
            held.remove(next(name for name in names[order].tolist() if name in of_class))
    outside = np.isin(groups[rows], [*held])
    return rows[~outside], rows[outside]


def _subset(rows: np.ndarray, labels: np.ndarray, count: int | None, draw: torch.Generator, name: str) -> np.ndarray:
    if not len(rows):
        raise Problem(
            f"no {name} images are left: change cache_views.test_fraction, or use a larger data set, with classes "
            "of more than one image (of more than one group, with cache_views.groups)."
        )
    if count is None:
        return rows
    if count > len(rows):
        raise Problem(
            f"cache_views.{name}_images = {count}, but there are only {len(rows)} {name} images: lower it, or set it "
            "to null for all."
        )
    return rows[stratified_sample(labels[rows], count, draw)]
