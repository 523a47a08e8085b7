"""The few images that cover all others best, in the order in which labels of them are worth most.

Bae, Noh & Sutherland, "Generalized Coverage for More Robust Low-Budget Active Learning" (ECCV 2024), algorithm 1,
MaxHerding: of all sets of labelled images greedily the one whose generalised coverage, the mean over all images of the
largest kernel value with a labelled one, is largest. The kernel is exp(-|x - y|^2 / WIDTH^2) of unit vectors. A gain
never rises when more images are covered, so only gains that could still be the largest are computed again (Minoux 1978,
"Accelerated greedy algorithms for maximizing submodular set functions").
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

WIDTH = 1.0
_ROWS = 1024  # of a block of features
_AGAIN = 32  # gains that are computed again at first; each time twice as many


class Rows(Protocol):
    """Features (N, dim) that can be read in parts: an array, or a view of a memory map."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: NDArray | slice) -> NDArray: ...


def covering(features: Rows, count: int, labelled: Sequence[int] | NDArray = ()) -> NDArray[np.int64]:
    """Choose images to label, best first; the first n of them are those of a shorter choice.

    Memory beside the features: at most 40 bytes an image, a block of `_ROWS` x `_ROWS` kernel values and three of
    `_ROWS` features. Time: one kernel value for each pair of images, and some `_AGAIN` x N for each choice.

    Args:
        features: (N, dim), of any length; of equal gains the first image is chosen.
        count: images to choose; of fewer unlabelled images all are chosen.
        labelled: rows that have labels already. They count as covered and are not chosen.

    Returns: (min(count, N - labelled),) rows.
    """
    labelled = np.unique(np.asarray(labelled, np.int64))
    covered = np.zeros(len(features), np.float32)  # largest kernel value with a labelled image, each image's
    for start in range(0, len(labelled), _ROWS):
        _cover(covered, features, labelled[start : start + _ROWS])
    free = np.ones(len(features), bool)
    free[labelled] = False
    gains = np.full(len(features), -np.inf)
    for start in range(0, len(features), _ROWS):
        gains[start : start + _ROWS] = _gains(covered, features, np.arange(start, min(start + _ROWS, len(features))))
    chosen: list[int] = []
    while len(chosen) < min(count, len(features) - len(labelled)):
        gains[~free] = -np.inf
        stale, some = free.copy(), _AGAIN
        while stale[best := int(gains.argmax())]:
            again = np.flatnonzero(stale)
            again = again[np.argsort(-gains[again], kind="stable")[:some]]
            gains[again] = _gains(covered, features, again)
            stale[again] = False
            some = min(2 * some, _ROWS)
        chosen.append(best)
        free[best] = False
        _cover(covered, features, np.array([best]))
    return np.array(chosen, np.int64)


def _gains(covered: NDArray, features: Rows, rows: NDArray) -> NDArray[np.float64]:
    """Sum over all images of how much more of each is covered with each of the rows: (n,)."""
    own = _unit(features[rows])
    gains = np.zeros(len(rows))
    for start, block in _blocks(features):
        more = _kernel(own, block)
        more -= covered[start : start + len(block)]
        gains += np.maximum(more, 0, out=more).sum(1, dtype=np.float64)
        del more, block  # before the next ones are made
    return gains


def _cover(covered: NDArray, features: Rows, rows: NDArray) -> None:
    own = _unit(features[rows])
    for start, block in _blocks(features):
        part = covered[start : start + len(block)]
        np.maximum(part, _kernel(own, block).max(0), out=part)


def _blocks(features: Rows) -> Iterator[tuple[int, NDArray]]:
    for start in range(0, len(features), _ROWS):
        yield start, _unit(features[start : start + _ROWS])


def _unit(features: NDArray) -> NDArray[np.float32]:
    features = features.astype(np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _kernel(first: NDArray, second: NDArray) -> NDArray[np.float32]:
    values = first @ second.T
    values -= 1
    values *= 2 / WIDTH**2
    return np.exp(values, out=values)
