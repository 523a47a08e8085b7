"""Bootstrap over images: resamples, and percentile intervals of any statistic.

The bootstrap draws images with replacement; an image's crops or views stay together. A resample is stored as counts:
how often each image was drawn. A statistic sorts its values once and weights them by the counts, so that repeated
images are exact ties and thousands of resamples take a few array operations. Resamples are drawn in blocks, each with
its own random generator, so the result does not depend on the number of threads. Statistics are `Mean` here and those
in `ranks` and `risk_coverage`.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vi_simsiam.core import randomness
from vi_simsiam.stats.intervals import Estimate

_LEVEL = 0.95
_COUNTS = 1 << 18  # counts in a block
_VALUES = 1 << 17  # values worked on at once: they stay in the processor's cache


class Resamples:
    """Resamples, with a cache of intermediate results that statistics share.

    Attributes:
        counts: (r, n) int32, how often each of the n images was drawn in each of the r resamples.
    """

    def __init__(self, counts: NDArray[np.int32]):
        self.counts = counts
        self._made: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Result of `make()`, computed once per `key`."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def parts(self, width: int) -> Iterator["Resamples"]:
        """The same resamples in parts, small enough that `width` values for each resample fit the processor's cache."""
        rows = max(1, _VALUES // width)
        for start in range(0, len(self.counts), rows):
            yield Resamples(self.counts[start : start + rows])


class Statistic(Protocol):
    """A statistic of the images and of any resample of them.

    Attributes:
        point: its value on the images themselves.
        width: number of table rows that it reads.
    """

    point: float
    width: int

    def resampled(self, resamples: Resamples) -> NDArray:
        """Its value on each resample: (r,) float64, NaN where it is undefined."""
        ...


class Bootstrap:
    """Resamples of n images, the same ones for every measure, so that measures are comparable.

    Args:
        n: number of images, or one number for each of several sets, which are resampled separately; the counts of the
            first set's images come first.
        resamples: number of resamples.
        seed: of the draws.

    Attributes:
        blocks: number of blocks of resamples.
    """

    def __init__(self, n: int | Sequence[int], resamples: int, seed: int):
        self.sizes = (n,) if isinstance(n, int | np.integer) else tuple(n)
        self.n, self.resamples, self.seed = sum(self.sizes), resamples, seed
        self._rows = max(1, _COUNTS // self.n)
        self.blocks = -(-resamples // self._rows)

    def block(self, number: int) -> Resamples:
        """Block `number`, in 0..blocks-1. It depends only on that number, the sizes, `resamples` and the seed."""
        rng = np.random.default_rng(randomness.seed(self.seed, "bootstrap", number))
        rows = min(self._rows, self.resamples - number * self._rows)
        counts = np.empty((rows, self.n), np.int32)
        first = 0
        for n in self.sizes:
            drawn = rng.integers(n, size=(rows, n)) + np.arange(rows)[:, None] * n
            counts[:, first : first + n] = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
            first += n
        return Resamples(counts)

    def resampled(self, statistics: Mapping[str, Statistic | None]) -> dict[str, NDArray]:
        """Statistics on all resamples: (resamples,) float64 each, NaN where undefined; without those that are None.

        All statistics use the same resamples, and those of one `Ranked` share intermediate results. They run on as
        many threads as torch uses; the results do not depend on their number.
        """
        import torch  # here, because modules that import only types from this one need no torch

        defined = {name: statistic for name, statistic in statistics.items() if statistic is not None}
        by_width: dict[int, list[str]] = {}
        for name, statistic in defined.items():
            by_width.setdefault(statistic.width, []).append(name)

        def of_block(number: int) -> dict[str, NDArray]:
            block = self.block(number)
            out: dict[str, list[NDArray]] = {name: [] for name in defined}
            for width, names in by_width.items():
                for part in block.parts(width):
                    for name in names:
                        out[name].append(defined[name].resampled(part))
            return {name: np.concatenate(values) for name, values in out.items()}

        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                blocks = list(pool.map(of_block, range(self.blocks)))
        finally:
            torch.set_num_threads(threads)  # threads that start later inherit the last setting
        return {name: np.concatenate([block[name] for block in blocks]) for name in defined}

    def estimate(self, statistic: Statistic, resampled: NDArray) -> Estimate:
        """Estimate of a statistic with its 95 % percentile interval."""
        tail = (1 - _LEVEL) / 2
        low, high = np.nanquantile(resampled, [tail, 1 - tail])
        return Estimate(float(statistic.point), float(low), float(high), self.n)

    def one(self, statistic: Statistic | None) -> Estimate | None:
        """Estimate of one statistic; None for None."""
        return None if statistic is None else self.estimate(statistic, self.resampled({"": statistic})[""])


class Mean:
    """Mean of values (m,). `image`: (m,) index of each value's image; None: value i is of image i."""

    def __init__(self, values: ArrayLike, image: ArrayLike | None = None):
        values = np.asarray(values, float)
        image = np.arange(len(values)) if image is None else np.asarray(image)
        self.point, self.width = values.mean(), len(values)
        self._sums, self._rows = np.bincount(image, values), np.bincount(image).astype(float)

    def resampled(self, resamples: Resamples) -> NDArray:
        counts = resamples.counts[:, : len(self._rows)]
        return np.einsum("ij,j->i", counts, self._sums) / np.einsum("ij,j->i", counts, self._rows)
