"""Faults of images that are found without a model: dark, overexposed, blurred, of an odd size or shape, and copies.

The names are those of cleanvision where it has one. A fault is a row of `ISSUES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import nearest

_ENOUGH = 10  # images, of which one can be unlike the others
_MAD = 1.4826  # standard deviation of a normal distribution, divided by its median absolute deviation


@dataclass(frozen=True)
class Issue:
    """A fault that an image can have.

    Attributes:
        name: in the column `issues`.
        title: for people.
        threshold: the default limit.
        explained: a sentence with {} in the place of the limit.
        found: computes from a table and the limit how severe the fault of each image is, (n,); NaN: no fault.
        of_files: True if only whole files have it, not tiles.
    """

    name: str
    title: str
    threshold: float
    explained: str
    found: Callable[[pd.DataFrame, float], pd.Series]
    of_files: bool = False


def _outlier(table: pd.DataFrame, limit: float) -> pd.Series:
    density = table["knn_density"]
    if len(table) < _ENOUGH:
        return density * np.nan
    below = density.median() - density
    return below.where(below > limit * _MAD * below.abs().median())


def _blurry(table: pd.DataFrame, limit: float) -> pd.Series:
    sharpness = table["sharpness"].where(table["sharpness"] > 0)  # those of one colour are `low_information`
    return -sharpness.where(sharpness < limit * sharpness.median())


def _odd_size(table: pd.DataFrame, limit: float) -> pd.Series:
    side = np.sqrt(table["width"] * table["height"])
    times = np.exp(np.log(side / side.median()).abs())
    return times.where(times > limit)


def _odd_aspect_ratio(table: pd.DataFrame, limit: float) -> pd.Series:
    ratio = table[["width", "height"]].min(axis=1) / table[["width", "height"]].max(axis=1)
    return -ratio.where(ratio < limit)


ISSUES = (
    Issue(
        "outlier", "Unlike all others", 3.0,
        "Unusually dissimilar to their nearest images (knn_density more than {} standard deviations below the "
        "median): rare things, defects, images from other sources.", _outlier,
    ),
    Issue(
        "dark", "Dark", 0.32,
        "Nothing in them is bright: 99 % of the pixels are darker than {} (0 black, 1 white).",
        lambda table, limit: -table["highlight"].where(table["highlight"] < limit),
    ),
    Issue(
        "light", "Overexposed", 0.5,
        "More than {} of their pixels are white: overexposed, or on a white background.",
        lambda table, limit: table["bright_share"].where(table["bright_share"] > limit),
    ),
    Issue(
        "blurry", "Blurred", 0.1,
        "Their sharpness is less than {} times the median of all images: blurred, or showing something "
        "smooth.", _blurry,
    ),
    Issue(
        "low_information", "Without content", 0.0,
        "Of one brightness, counting transparent parts as white: their sharpness is at most {}, so they show nothing.",
        lambda table, limit: -table["sharpness"].where(table["sharpness"] <= limit),
    ),
    Issue(
        "odd_size", "Odd in size", 3.0, "Their sides are more than {} times longer or shorter than the median.",
        _odd_size, of_files=True,
    ),
    Issue(
        "odd_aspect_ratio", "Odd in shape", 0.35, "Their shorter side is less than {} times the longer one.",
        _odd_aspect_ratio, of_files=True,
    ),
)  # fmt: skip
EXACT, NEAR = "exact_duplicate", "near_duplicate"
NAMES = (*(issue.name for issue in ISSUES), EXACT, NEAR)


def thresholds(given: Sequence[str]) -> dict[str, float]:
    """Limit of each issue. given: `NAME=VALUE`s that replace some. Raises: Problem naming the wrong one."""
    found = {issue.name: issue.threshold for issue in ISSUES}
    for text in given:
        name, _, value = text.partition("=")
        if name not in found:
            raise Problem(f"--threshold {text}: no such name{nearest(name, found)}. Names: {', '.join(found)}.")
        try:
            limit = float(value)
        except ValueError:
            limit = np.nan
        if not 0 <= limit < np.inf:
            raise Problem(f"--threshold {text}: not a number from 0. Write {name}={found[name]:g}, for example.")
        found[name] = limit
    return found


def copies(table: pd.DataFrame, contents: np.ndarray) -> tuple[pd.Series, dict[str, list[int]]]:
    """Files to keep, one of each group of copies, and the rows of the others.

    Args:
        table: with the facts and `duplicates`. contents: (n,) equal for files with equal bytes.

    Returns: for each row that is a copy the row to keep (the largest, of these the sharpest), missing for others; rows
        that repeat the bytes of an earlier one (`EXACT`), and the other copies (`NEAR`), group by group.
    """
    order = pd.DataFrame({
        "group": table["duplicates"].to_numpy(),
        "smaller": -(table["width"] * table["height"]).to_numpy(),
        "softer": -table["sharpness"].to_numpy(),
        "content": contents,
        "longer": table["path"].str.len().to_numpy(),  # of files with the same bytes, "a.jpg" before "a copy.jpg"
    }).dropna(subset="group")  # fmt: skip
    best = order.sort_values(list(order.columns), kind="stable")
    first = pd.Series(best.index, best.index).groupby(best["group"]).transform("first")
    others = best[first != best.index]
    exact = best.duplicated("content")[others.index]
    keep = pd.Series(pd.NA, index=range(len(table)), dtype="Int64")
    keep[others.index] = first[others.index]
    return keep, {EXACT: others.index[exact].tolist(), NEAR: others.index[~exact].tolist()}


def find(table: pd.DataFrame, limits: Mapping[str, float]) -> dict[str, list[int]]:
    """Rows with each issue that is no copy, the worst first.

    Args:
        table: with `knn_density` and the facts. limits: of `thresholds`.
    """
    found = {}
    for issue in ISSUES:
        if issue.of_files and "tile" in table:
            continue
        worse = issue.found(table, limits[issue.name]).reset_index(drop=True)
        found[issue.name] = worse.dropna().sort_values(ascending=False, kind="stable").index.tolist()
    return found


def column(found: Mapping[str, Sequence[int]], count: int) -> list[str]:
    """Names of each image's issues with ; between them, in the order of `NAMES`; empty: none."""
    texts: list[list[str]] = [[] for _ in range(count)]
    for name in NAMES:
        for row in found.get(name, ()):
            texts[row].append(name)
    return [";".join(names) for names in texts]
