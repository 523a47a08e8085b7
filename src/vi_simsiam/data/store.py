"""The uint8 store: images, labels and augmented views of a data set, as memory maps.

Files of a store (N images of a split, V views of each, C 1 or 3 channels):

    images_{train,test}.npy     uint8 (N, size, size, C)
    labels_{train,test}.npy     int64 (N,), -1: no label
    views_{train,test}.npy      uint8 (N, V, size, size, C), V may be 0
    views_{train,test}.parquet  a row per view: index (of the image), view, and its augmentation's parameters
    sources_{train,test}.parquet  a row per image: index and path (in the archive; of arrays, the row number)
    store.json                  names, sizes, mean and std of the training pixels, SHA-256 of the files; written last
"""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from vi_simsiam.core import record
from vi_simsiam.core.files import read_json

SplitName = Literal["train", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "test")
DESCRIPTION = "store.json"
FORGET_AFTER = 16 << 20  # bytes that a pass over a store reads before it calls `release_pages`
READ_AROUND = 64 << 10  # bytes: Linux maps this much around a place that is read
# Bytes of a map whose pages stay mapped, as CIFAR's 150 MB: mapping them for each batch takes longer than reading them.
_STAYS_MAPPED = 160 << 20


def file_names(split: SplitName) -> tuple[str, str, str, str, str]:
    """Names of a split's images, labels, views, table of view parameters and table of sources."""
    arrays = f"images_{split}.npy", f"labels_{split}.npy", f"views_{split}.npy"
    return *arrays, f"views_{split}.parquet", f"sources_{split}.parquet"


class TrainingImages(Protocol):
    """The part of a `Store` that a training reads; `views` may be features of views. Members as of `Store`."""

    @property
    def size(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def mean(self) -> tuple[float, ...]: ...
    @property
    def std(self) -> tuple[float, ...]: ...
    @property
    def depth(self) -> int: ...
    def images(self, split: SplitName) -> Any: ...
    def labels(self, split: SplitName) -> np.ndarray: ...
    def views(self, split: SplitName) -> Any: ...


class RowView:
    """Some rows of an array, read on access. A memory map is not copied, and the memory of its pages is released.

    Args:
        array: (N, ...). rows: (n,) integers, the rows in their order.
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray):
        self.base, self._rows = array, np.asarray(rows, dtype=np.int64)
        self.shape = (len(self._rows), *array.shape[1:])
        self.dtype = array.dtype
        self._read = 0  # bytes, at most, since memory was released

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) else (key,)
        rows = self._rows[first]
        found = self.base[(rows, *rest)]
        self._read += found.nbytes + READ_AROUND * np.size(rows)
        if self._read >= FORGET_AFTER:
            release_pages(self.base, least=0)
            self._read = 0
        return found


@dataclass(frozen=True)
class Store:
    """An opened store; get one by `Store.open`.

    Attributes:
        classes: names of labels 0, 1, ...; empty if there are no labels.
        size: pixels of an image's sides. channels: 1 or 3.
        mean, std: of the training images' pixels in [0, 1], one number per channel.
        augmentation: parameters of the cached views, as section `cache_views.augmentation` of params.yaml.
        sha256: checksums of the files, by name.
        depth: bits with which 16-bit grey images were read.
    """

    folder: Path
    dataset: str
    classes: tuple[str, ...]
    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: dict[str, Any]
    sha256: dict[str, str]
    depth: int
    _arrays: dict[str, np.ndarray]

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open a store without comparing checksums (see `open_verified`). Raises: Problem if there is none."""
        entries = read_json(folder / DESCRIPTION)
        arrays: dict[str, np.ndarray] = {}
        for split in SPLITS:
            images, labels, views, *_ = file_names(split)
            arrays |= {name: np.load(folder / name, mmap_mode="r") for name in (images, views)}
            arrays[labels] = np.load(folder / labels)
        return cls(
            folder, entries["dataset"], tuple(entries["classes"]), entries["size"], entries["channels"],
            tuple(entries["mean"]), tuple(entries["std"]), entries["augmentation"], entries["sha256"],
            entries.get("depth", 16), arrays,
        )  # fmt: skip

    @classmethod
    def open_verified(cls, folder: Path) -> "Store":
        """Open the store of a finished step after comparing every file with its checksum, which reads all of them.

        Raises: Problem that names the first file that differs.
        """
        record.verify(folder, DESCRIPTION, *(name for split in SPLITS for name in file_names(split)))
        return cls.open(folder)

    def __reduce__(self):
        # Another process opens the files: memory maps would be sent by value, all images through a pipe.
        return Store.open, (self.folder,)

    def images(self, split: SplitName) -> np.ndarray:
        """uint8 (N, size, size, C), a read-only memory map."""
        return self._arrays[file_names(split)[0]]

    def labels(self, split: SplitName) -> np.ndarray:
        """int64 (N,), in memory; -1: no label."""
        return self._arrays[file_names(split)[1]]

    def views(self, split: SplitName) -> np.ndarray:
        """Cached views: uint8 (N, V, size, size, C), a read-only memory map; V is 0 if none are cached."""
        return self._arrays[file_names(split)[2]]

    def view_parameters(self, split: SplitName) -> pd.DataFrame:
        """The parameters drawn for the cached views: a row per view, those of image 0 first; read at each call."""
        return pd.read_parquet(self.folder / file_names(split)[3])

    def sources(self, split: SplitName) -> pd.DataFrame:
        """The origin of each image: columns index and path; read at each call."""
        return pd.read_parquet(self.folder / file_names(split)[4])


def release_pages(array: Any, least: int = _STAYS_MAPPED) -> None:
    """Release the memory of the pages of a memory map; the data stay in the system's file cache.

    Pages that were read count as memory of this process until the system runs short, so a pass over a large store would
    look as if all of it were loaded. Does nothing to a map of at most `least` bytes, to an array in memory, or on a
    system without `madvise`.
    """
    while (base := getattr(array, "base", None)) is not None:
        array = base
    if isinstance(array, mmap.mmap) and len(array) > least and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)
