"""Labels of a ranking's images: the images to label first, and images that may be in a wrong folder."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import one_spelling, writable
from vi_simsiam.data.layout import Layout, without_masks
from vi_simsiam.data.store import RowView
from vi_simsiam.evaluation import linear
from vi_simsiam.stats.covering import covering
from vi_simsiam.stats.intervals import wilson

FIRST, QUALITY, SUGGESTED = "label_first", "label_quality", "label_suggested"
FOLDS = 5
EXPLAINED = {
    FIRST: (
        "label first",
        "Order in which to label images, from 1: each adds the most coverage to those before it (MaxHerding).",
    ),
    QUALITY: (
        "label quality",
        "Probability of the image's folder, from a linear classifier that was fitted without the image: low for images "
        "in a wrong folder and for unusual images in the right one.",
    ),
    SUGGESTED: (
        "suggested label",
        "Another folder that the image fits as well as that folder's own images do on average; empty for most images.",
    ),
}
# Settings of the classifier, chosen for speed and few wrong suggestions on 4,000 images of CIFAR-10 with 1,280 features
# each (docs/your_images.md has its results on other draws of wrong labels). Fewer images get fewer components and a
# weaker penalty: with as many components as images, the classifier fits noise and finds wrong labels only by chance.
_MOST, _LEAST, _IMAGES_EACH = 256, 16, 15  # limits of the number of components; images for each
_C_TIMES_IMAGES = 12.0


def read_labelled(file: Path) -> list[str]:
    """Paths in a text file, one per line. Raises: Problem if it cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(
            f"--labelled {file}: it cannot be read as text ({error}). Name a file with one path per line."
        ) from None
    return [line.strip() for line in lines if line.strip()]


def label_first(
    paths: pd.Series, rows: np.ndarray, features: np.ndarray, count: int, labelled: Sequence[str]
) -> pd.Series:
    """Order in which to label files: 1 to `count`, missing for all others and for copies of an earlier file.

    Args:
        paths: (n,) of the files.
        rows: (n,) of each file's contents in `features`.
        features: (N, dim).
        count: number of files to choose.
        labelled: paths of files that have labels already.

    Raises: Problem for a labelled path that is not among the files.
    """
    _, first = np.unique(rows, return_index=True)
    first = np.sort(first)  # the first file of each content, in the order of the files
    place = {row: number for number, row in enumerate(rows[first])}
    known = dict(zip(map(_absolute, paths), rows, strict=True)) | dict(zip(paths, rows, strict=True))
    covered = []
    for path in labelled:
        row = known.get(path, known.get(_absolute(path)))
        if row is None:
            raise Problem(
                f"--labelled: {writable(path)} is not among the images of this ranking. Write paths as in the column "
                "path of ranking.csv."
            )
        covered.append(place[row])
    chosen = covering(RowView(features, rows[first]), count, covered)
    numbers = pd.Series(pd.NA, index=paths.index, dtype="Int64")
    numbers.iloc[first[chosen]] = np.arange(1, len(chosen) + 1)
    return numbers


def _absolute(path: str) -> str:
    """The path from the root, without . and .., in NFC: equal for all ways to write it."""
    return one_spelling(os.path.abspath(path))


def classes(paths: Sequence[str], inputs: Iterable[str]) -> np.ndarray | None:
    """Class of each file, (N,) strings, by the rules for the folders of a recipe; None if folders are not classes.

    Args:
        paths: (N,) of the files.
        inputs: the folders and archives that are ranked.
    """
    tops = sorted((writable(Path(name, "_"))[:-1] for name in inputs), key=len, reverse=True)  # of ./in/ too: in/
    inside = [next((path[len(top) :] for top in tops if path.startswith(top)), "") for path in paths]
    placed = without_masks(inside)
    names = [name for path in inside if (name := placed[path])]
    if len(names) < len(inside):
        return None
    try:
        layout = Layout.of(names, Path())
    except Problem:
        return None
    used = [layout.split(name) is not None for name in names]
    if not layout.labelled or not all(used):
        return None
    found = layout.classes({"train": names})
    return np.array(found)[layout.labels(names, found)]


def label_quality(names: np.ndarray, rows: np.ndarray, features: np.ndarray, seed: int) -> pd.DataFrame | None:
    """Columns `label_quality` and `label_suggested` of files in class folders.

    Each of `FOLDS` linear classifiers gives the probabilities of the files on which it was not fitted. A label is
    suspect where the probability of another class is at least its mean over the files of that class: confident learning
    (Northcutt, Jiang & Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", sec. 3.1).

    Args:
        names: (n,) class of each file.
        rows: (n,) of each file's contents in `features`. Equal files are always in the same fold.
        features: (N, dim).
        seed: of the folds.

    Returns: None where fewer than two classes have `FOLDS` different files, or where the accuracy of the classifiers is
        not above the share of the largest class (95 % Wilson interval): folders are then not classes. Files of smaller
        classes have missing values.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # slow to import

    different = pd.Series(rows).groupby(names).nunique()
    large = np.flatnonzero(np.isin(names, different.index[different >= FOLDS]))
    classes, labels = np.unique(names[large], return_inverse=True)
    if len(classes) < 2:
        return None
    x = _components(torch.from_numpy(RowView(features, rows)[large]).float())
    C = _C_TIMES_IMAGES / len(large)
    y = torch.from_numpy(labels)
    probabilities = torch.zeros(len(large), len(classes))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    for fitted, judged in folds.split(x, labels, rows[large]):
        probe = linear.fit(x[fitted], y[fitted], len(classes), C)
        probabilities[judged] = probe.probabilities(x[judged])
    right = (probabilities.argmax(1) == y).numpy()
    if wilson(right).ci_low <= np.bincount(labels).max() / len(labels):
        return None
    given = probabilities.gather(1, y[:, None])[:, 0]
    average = torch.stack([given[y == label].mean() for label in range(len(classes))])
    confident = torch.where(probabilities >= average, probabilities, 0)
    best = confident.argmax(1)
    suspect = ((confident.amax(1) > 0) & (best != y)).numpy()
    result = pd.DataFrame(
        {QUALITY: np.full(len(names), np.nan), SUGGESTED: pd.Series(pd.NA, range(len(names)), "string")}
    )
    result.loc[large, QUALITY] = given.double().numpy()
    result.loc[large[suspect], SUGGESTED] = classes[best.numpy()[suspect]]
    return result


def _components(features: torch.Tensor) -> torch.Tensor:
    """The first K principal components of features (N, dim): (N, K); if dim <= K, the features themselves.

    K is N / `_IMAGES_EACH`, at least `_LEAST` and at most `_MOST`, but never more than N / 4.
    """
    count = min(_MOST, max(_LEAST, len(features) // _IMAGES_EACH), len(features) // 4)
    if features.shape[1] <= count:
        return features
    features = features - features.mean(0)
    return features @ torch.linalg.eigh(features.T @ features).eigenvectors[:, -count:]
