"""Sets of images, and the protocol of their sources."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from vi_simsiam.data.decode import FULL_DEPTH
from vi_simsiam.data.left_out import Report
from vi_simsiam.transforms.resizing import resize

Depth = int | Literal["auto"]  # bits that 16-bit grey images use; auto: as many as the largest number needs


@dataclass(frozen=True)
class Split:
    """Images of a training or test set. Their central squares are resized when they are read.

    Attributes:
        images: uint8 (N, H, W, C), C 1 or 3, in any order of memory, or a memory map.
        labels: (N,) int64, the index into the classes; -1: no label.
        size: height and width in pixels of what `pixels` returns; None: those of `images`.
        groups: (N,) int64, equal for images that are not independent, such as digits on one form; None: the source
            knows of none.
        names: (N) paths in the archive; None: the images have row numbers only.
    """

    images: np.ndarray
    labels: np.ndarray
    size: int | None = None
    groups: np.ndarray | None = None
    names: Sequence[str] | None = None

    @property
    def channels(self) -> int:
        return int(self.images.shape[3])

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """Images `rows` (indices into 0..N-1): (len(rows), size, size, channels) uint8."""
        from vi_simsiam.data.store import release_pages  # imports pandas, which the step `download` does not need

        images = np.ascontiguousarray(self.images[rows])
        release_pages(self.images)
        return images if self.size is None else resize(images, self.size)

    def paths(self, rows: np.ndarray) -> list[str]:
        """The path of each of the images `rows`, or its row number."""
        return [str(row) if self.names is None else self.names[row] for row in rows]


@dataclass(frozen=True)
class Images:
    """The images of a source.

    test: None if the source has no test set. brightest: the largest number in 16-bit grey images; None if there are
    none.
    """

    classes: tuple[str, ...]
    train: Split
    test: Split | None
    report: Report = field(default_factory=Report)
    brightest: int | None = None


class Source(Protocol):
    """An origin of images: it brings its raw files into a folder, and reads them from the folder."""

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        """Bring the raw files into `folder`. Returns: their paths, relative to it. Raises: Problem if this fails."""
        ...

    def read(self, folder: Path, size: int, depth: Depth = FULL_DEPTH, threads: int = 1, labels: bool = True) -> Images:
        """Read the files that `download` brought into `folder`. Their checksums were verified.

        Args:
            size: pixels of the sides of the images in the splits.
            depth: bits of 16-bit grey images.
            threads: number of threads that decode.
            labels: whether folders of images are classes. Published sets always have their labels.

        Raises: Problem if the files are not images of this source.
        """
        ...
