"""What a source of images gives: sets of images that are decoded on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.fetch import RemoteFile, fetch
from vi_simsiam.data.sources.report import Report
from vi_simsiam.transforms.resizing import resize


class Split(Protocol):
    """Images of a training or test set, decoded on demand.

    labels: (N,) int64, the index into the classes; -1: no label. channels: 1 or 3.
    """

    labels: np.ndarray
    channels: int

    def decode(self, rows: np.ndarray, size: int) -> np.ndarray:
        """Images `rows` (indices into 0..N-1), resized: (len(rows), size, size, channels) uint8."""
        ...

    def paths(self, rows: np.ndarray) -> list[str]:
        """Where each of the images `rows` comes from: its path in the archive, or its row number in an array."""
        ...


@dataclass(frozen=True)
class ArraySplit:
    """A `Split` of images that all fit into memory: (N, H, W, C) uint8, resized by their central square."""

    images: np.ndarray
    labels: np.ndarray

    @property
    def channels(self) -> int:
        return self.images.shape[3]

    def decode(self, rows: np.ndarray, size: int) -> np.ndarray:
        return resize(self.images[rows], size)

    def paths(self, rows: np.ndarray) -> list[str]:
        return [str(row) for row in rows]


@dataclass(frozen=True)
class Images:
    """What a source gives.

    test is None where the source has no test set of its own. brightest: the largest number in grey images of 16 bits;
    None where there are none. Of the splits of a source that has some, `decode` takes the depth (see data.decode).
    """

    classes: tuple[str, ...]
    train: Split
    test: Split | None
    report: Report = field(default_factory=Report)
    brightest: int | None = None


class Source(Protocol):
    """Where images come from: how its raw files are brought here, and how they are read."""

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        """Bring the raw files into `folder`; returns their paths, relative to it."""
        ...

    def read(self, folder: Path, threads: int = 1) -> Images:
        """Read what `download` left in `folder`, with so many threads. Its checksums have been verified."""
        ...


@dataclass(frozen=True)
class Published:
    """What sources share whose files can be fetched by anyone; their classes add `read`.

    files: in the order in which `read` takes them. addresses: official ones, tried after the mirrors.
    """

    files: tuple[RemoteFile, ...]
    addresses: tuple[str, ...]

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        return [fetch(file, folder, (*mirrors, *self.addresses), retries).name for file in self.files]


def unreadable(path: Path, why: object) -> Problem:
    """The error of a downloaded file that is not what it should be."""
    return Problem(f"{path} cannot be read: {why}. Delete the folder {path.parent} and run again.")
