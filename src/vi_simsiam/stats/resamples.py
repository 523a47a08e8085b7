"""Bootstrap resamples of images, written as counts: how often each image was drawn.

Every statistic is computed from values that are sorted once and from such counts, so that repeated images are treated
exactly as ties and thousands of resamples are a few array operations. Resamples are drawn in blocks, each with random
numbers of its own, so that the blocks can be worked on by any number of threads with the same result.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vi_simsiam.core import randomness

_COUNTS = 1 << 18  # counts of a block
_VALUES = 1 << 17  # values worked on at once: they stay in the processor's cache


class Resamples:
    """Some resamples, and what statistics have derived from them and can share.

    Attributes:
        counts: (r, n) int32, how often each of the n images was drawn in each of the r resamples.
    """

    def __init__(self, counts: NDArray[np.int32]):
        self.counts = counts
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` returns, called only when `key` is asked for the first time."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def parts(self, width: int) -> Iterator["Resamples"]:
        """The same resamples in pieces, so small that an array of `width` values for each fits the cache."""
        rows = max(1, _VALUES // width)
        for start in range(0, len(self.counts), rows):
            yield Resamples(self.counts[start : start + rows])


class Statistic(Protocol):
    """A quantity of the images, and of any resample of them.

    Attributes:
        point: its value on the images themselves.
        width: number of table rows that it looks at.
    """

    point: float
    width: int

    def resampled(self, resamples: Resamples) -> NDArray:
        """Its value on each resample: (r,) float64, NaN where it is undefined."""
        ...


class Draws:
    """Blocks of resamples of one or more sets of images, each set with replacement from itself.

    Args:
        sizes: number of images of each set; the counts of the first set's images come first.
        resamples: number of resamples in all blocks together.
        seed: of the draws.
    """

    def __init__(self, sizes: Sequence[int], resamples: int, seed: int):
        self.sizes, self.resamples, self.seed = tuple(sizes), resamples, seed
        self._rows = max(1, _COUNTS // sum(self.sizes))

    def __len__(self) -> int:
        return -(-self.resamples // self._rows)

    def block(self, number: int) -> Resamples:
        """Block `number` of len(self), a function of that number and the arguments above alone."""
        rng = np.random.default_rng(randomness.seed(self.seed, "bootstrap", number))
        rows = min(self._rows, self.resamples - number * self._rows)
        counts = np.empty((rows, sum(self.sizes)), np.int32)
        first = 0
        for n in self.sizes:
            drawn = rng.integers(n, size=(rows, n)) + np.arange(rows)[:, None] * n
            counts[:, first : first + n] = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
            first += n
        return Resamples(counts)
