"""Choose the few images that cover all others best, the most valuable to label first.

Bae, Noh & Sutherland, "Generalized Coverage for More Robust Low-Budget Active Learning" (ECCV 2024), algorithm 1,
MaxHerding: of all sets of labelled images greedily the one with the largest generalised coverage: the mean over all
images of the largest kernel value with a labelled one. The kernel is exp(-|x - y|^2 / WIDTH^2) of unit vectors. A gain
never rises when more images are covered, so only gains that could still be the largest are computed again (Minoux 1978,
"Accelerated greedy algorithms for maximizing submodular set functions").
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

WIDTH = 1.0
_ROWS = 1024  # of a block of features
_AGAIN = 32  # gains that are computed again at first; then twice as many each time
_HELD = 512 << 20  # bytes of unit vectors held in memory; a larger set is normalised again in each pass
_ROUNDING = 1e-9  # relative, of a sum in another order


class Rows(Protocol):
    """Features (N, dim) that can be read in parts: an array, or a view of a memory map."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: NDArray | slice) -> NDArray: ...


def covering(features: Rows, count: int, labelled: Sequence[int] | NDArray = ()) -> NDArray[np.int64]:
    """Choose images to label, best first; the first n of them are those of a shorter choice.

    Memory beside the features: at most `_HELD` bytes of unit vectors, 40 bytes an image, two blocks of `_ROWS` x
    `_ROWS` kernel values and three of `_ROWS` features. Time: one kernel value for each pair of images, and some
    `_AGAIN` x N for each choice.

    Args:
        features: (N, dim), of any length; of equal gains the first image is chosen.
        count: images to choose; of fewer unlabelled images all are chosen.
        labelled: rows that have labels already. They count as covered and are not chosen.

    Returns: (min(count, N - labelled),) rows.
    """
    bank = _Bank(features)
    labelled = np.unique(np.asarray(labelled, np.int64))
    # The largest kernel value of each image with a labelled one.
    covered = torch.zeros(len(features))
    for start in range(0, len(labelled), _ROWS):
        _cover(covered, bank, labelled[start : start + _ROWS])
    free = np.ones(len(features), bool)
    free[labelled] = False
    gains = _all_gains(covered, bank)
    chosen: list[int] = []
    while len(chosen) < min(count, len(features) - len(labelled)):
        gains[~free] = -np.inf
        stale, some = free.copy(), _AGAIN
        while stale[best := int(gains.argmax())]:
            again = np.flatnonzero(stale)
            again = again[np.argsort(-gains[again], kind="stable")[:some]]
            gains[again] = _gains(covered, bank, again)
            stale[again] = False
            some = min(2 * some, _ROWS)
        chosen.append(best)
        free[best] = False
        _cover(covered, bank, np.array([best]))
    return np.array(chosen, np.int64)


class _Bank:
    """Unit vectors of features, in blocks."""

    def __init__(self, features: Rows):
        self.features = features
        held = 4 * features.shape[0] * features.shape[1] <= _HELD
        self._held = self.unit(slice(None)) if held else None

    def unit(self, rows: NDArray | slice) -> Tensor:
        return normalize(torch.from_numpy(np.array(self.features[rows])).float(), dim=1)

    def rows(self, rows: NDArray) -> Tensor:
        return self.unit(rows) if self._held is None else self._held[torch.from_numpy(rows)]

    def blocks(self, first: int = 0) -> Iterator[tuple[slice, Tensor]]:
        for start in range(first, len(self.features), _ROWS):
            part = slice(start, start + _ROWS)
            yield part, self.unit(part) if self._held is None else self._held[part]


def _all_gains(covered: Tensor, bank: _Bank) -> NDArray[np.float64]:
    """Upper bounds of the gains of all images, (N,), above them by rounding alone. Each pair is computed once."""
    gains = torch.zeros(len(bank.features), dtype=torch.float64)
    for part, block in bank.blocks():
        for other, other_block in bank.blocks(part.start):
            kernel = _kernel(block, other_block)
            gains[part] += (kernel - covered[other]).clamp_(min=0).sum(1, dtype=torch.float64)
            if other != part:
                gains[other] += kernel.sub_(covered[part, None]).clamp_(min=0).sum(0, dtype=torch.float64)
    return gains.numpy() * (1 + _ROUNDING)


def _gains(covered: Tensor, bank: _Bank, rows: NDArray) -> NDArray[np.float64]:
    """Gain in coverage, summed over all images, by each of the rows: (n,)."""
    candidates = bank.rows(rows)
    gains = torch.zeros(len(rows), dtype=torch.float64)
    for part, block in bank.blocks():
        gains += _kernel(candidates, block).sub_(covered[part]).clamp_(min=0).sum(1, dtype=torch.float64)
    return gains.numpy()


def _cover(covered: Tensor, bank: _Bank, rows: NDArray) -> None:
    labelled = bank.rows(rows)
    for part, block in bank.blocks():
        covered[part] = torch.maximum(covered[part], _kernel(labelled, block).amax(0))


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T).sub_(1).mul_(2 / WIDTH**2).exp_()
