"""Data sets in IDX files, the format of MNIST."""

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vi_simsiam.data.fetch import RemoteFile
from vi_simsiam.data.sources.base import ArraySplit, Images, Published, unreadable


@dataclass(frozen=True)
class IdxImages(Published):
    """Grey images and labels in gzipped IDX files, as MNIST and its relatives come.

    files: training images, their labels, test images, their labels. classes: names of labels 0, 1, ...
    """

    classes: tuple[str, ...]

    def read(self, folder: Path, threads: int = 1) -> Images:
        return Images(self.classes, *(self._split(folder, *files) for files in (self.files[:2], self.files[2:])))

    def _split(self, folder: Path, images: RemoteFile, labels: RemoteFile) -> ArraySplit:
        from torchvision.datasets import mnist  # here, because it takes seconds that other sources need not wait

        pixels = _idx(folder / images.name, mnist.read_image_file)[..., None]
        numbers = _idx(folder / labels.name, mnist.read_label_file)
        if len(pixels) != len(numbers):
            raise unreadable(folder / labels.name, f"{len(numbers)} labels for {len(pixels)} images")
        if len(numbers) and numbers.max() >= len(self.classes):
            raise unreadable(folder / labels.name, f"label {numbers.max()} of {len(self.classes)} classes")
        return ArraySplit(pixels, numbers)


def _idx(path: Path, read: Callable[[str], Any]) -> np.ndarray:
    """Unpack and read an IDX file by one of torchvision's functions, which want it unpacked."""
    with tempfile.TemporaryDirectory() as unpacked:
        plain = Path(unpacked) / "idx"
        try:
            with gzip.open(path) as source, open(plain, "wb") as sink:
                shutil.copyfileobj(source, sink)
            return read(str(plain)).numpy()
        except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, AssertionError, RuntimeError) as error:
            raise unreadable(path, error) from None
