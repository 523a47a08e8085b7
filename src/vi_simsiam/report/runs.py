"""Results of the earlier steps, run by run, for tables and figures."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from vi_simsiam.config.schema import METHODS
from vi_simsiam.core import record
from vi_simsiam.core.files import read_json
from vi_simsiam.stats.intervals import Estimate

T = TypeVar("T")


class _File(cached_property[T]):
    """A file of a step's result; it is read when it is first used."""

    def __init__(self, step: str, name: str, read: Callable[[Path], T]):
        super().__init__(lambda run: read(run.path(step, name)))
        self.step, self.name = step, name


def _mapped(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r")


def _estimates(path: Path) -> dict[str, Estimate]:
    return {name: Estimate(**fields) for name, fields in read_json(path).items()}


@dataclass(frozen=True)
class Run:
    """One (dataset, method, seed) and its tables, each read when it is first used.

    Args:
        data: folder of the stores, `data/cache_views`.
        results: folder of the results; a step's files lie in `results/<step>/<dataset>/<method>/seed<k>/`.

    `verify` finds files that are missing or damaged.
    """

    dataset: str
    method: str
    seed: int
    data: Path
    results: Path

    def path(self, step: str, name: str) -> Path:
        return self.results / step / self.dataset / self.method / f"seed{self.seed}" / name

    # A row per epoch; no rows for a method that is never trained.
    history = _File("pretrain", "history.csv", pd.read_csv)
    probe = _File("probe", "probe.json", read_json)
    # The backbone's features of the test images: float32 (N, dim).
    test_features = _File("probe", "features_test.npy", _mapped)
    # A row per test image: predictions, and a column per certainty score.
    images = _File("uncertainty", "images.parquet", pd.read_parquet)
    # A row per training image: the method's own certainty scores.
    train_images = _File("uncertainty", "train_images.parquet", pd.read_parquet)
    # A row per (test image, area of the graded crop).
    crops = _File("uncertainty", "crops.parquet", pd.read_parquet)
    # A row per (test image, augmentation, strength); strength 0 is the untouched image.
    graded = _File("uncertainty", "graded.parquet", pd.read_parquet)
    # Numbers of the k other test images that are nearest in the embedding: (N, k).
    neighbours = _File("uncertainty", "neighbours.npy", _mapped)
    # The uncertainty measures that are defined on these data, by name.
    measures = _File("uncertainty", "metrics.json", _estimates)
    # A row per resample of the test images: the measures by which scores are ranked.
    resampled = _File("uncertainty", "resampled.parquet", pd.read_parquet)

    def estimate(self, measure: str) -> Estimate:
        """A measure by its name in metrics.json; NaN where the run lacks it."""
        return self.measures.get(measure, Estimate(math.nan, math.nan, math.nan, 0))

    @cached_property
    def store(self) -> dict[str, Any]:
        """Description of the store of the run's data set: class names, counts, sizes."""
        return read_json(self.data / self.dataset / "store.json")

    def sources(self, split: str = "test") -> pd.Series:
        """Path of each image of a split, by index."""
        return pd.read_parquet(self.data / self.dataset / f"sources_{split}.parquet").set_index("index")["path"]

    def test_images(self) -> np.ndarray:
        """Test images, uint8 (N, H, W, C), mapped rather than read."""
        return _mapped(self.data / self.dataset / "images_test.npy")

    @property
    def bootstrap_seed(self) -> int:
        return int(record.read(self.path("uncertainty", ""))["params"]["seed"])

    @property
    def has_kappa(self) -> bool:
        return "kappa" in self.images


def open_runs(names: list[str], data: Path, results: Path) -> list[Run]:
    """Runs named `dataset/method/seed<k>`, sorted by data set, method (in the order of `METHODS`) and seed.

    The outputs therefore do not depend on the order of the lists in params.yaml.
    """
    runs = []
    for name in dict.fromkeys(names):
        dataset, method, seed = name.split("/")
        runs.append(Run(dataset, method, int(seed.removeprefix("seed")), data, results))
    return sorted(runs, key=lambda run: (run.dataset, METHODS.index(run.method), run.seed))


def verify(runs: list[Run]) -> None:
    """Compare the files that tables and figures read with their checksums.

    Raises: Problem naming the first file that is missing or has changed since its step wrote it.
    """
    for folder in sorted({run.data / run.dataset for run in runs}):
        record.verify(folder, "images_test.npy", "sources_train.parquet", "sources_test.parquet", "store.json")
    for run in runs:
        for file in vars(Run).values():
            if isinstance(file, _File):
                record.verify(run.path(file.step, ""), file.name)


def grouped(runs: Iterable[T], *keys: str) -> dict[Any, list[T]]:
    """Runs, or claims, by the value of one attribute, or by the tuple of several, in their order."""
    groups: dict[Any, list[T]] = {}
    for run in runs:
        groups.setdefault(attrgetter(*keys)(run), []).append(run)
    return groups
