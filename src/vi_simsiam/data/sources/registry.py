"""Where images come from: how each source is downloaded and read.

A source knows how to bring its raw files into a folder (`download`) and how to read them from there (`read`).
What it gives is decoded piece by piece, so that a source larger than memory is no different. To add one, write
its class and name it in SOURCES.
"""

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import FashionMNIST, mnist

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import replacing
from vi_simsiam.data.fetch import RemoteFile, fetch
from vi_simsiam.data.sources import catalogue as published_sets
from vi_simsiam.data.sources.base import ArraySplit, Images, Source, unreadable
from vi_simsiam.data.sources.folders import ImageFiles


class Digits:
    """1,797 handwritten digits, 8 x 8 grey, from the test set of the UCI Optical Recognition data.

    The file is part of scikit-learn (`sklearn.datasets.load_digits`), so nothing is downloaded.
    """

    _FILE = "digits.csv.gz"

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        inside = resources.files("sklearn.datasets.data") / self._FILE
        with inside.open("rb") as source, replacing(folder / self._FILE) as temporary, open(temporary, "wb") as sink:
            shutil.copyfileobj(source, sink)
        return [self._FILE]

    def read(self, folder: Path, threads: int = 1) -> Images:
        try:
            table = np.loadtxt(folder / self._FILE, delimiter=",", ndmin=2)  # as scikit-learn; it unpacks .gz
            pixels, labels = table[:, :64], table[:, 64].astype(np.int64)
        except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
            raise unreadable(folder / self._FILE, error) from None
        # 8 x 8 pixels that count 0..16 points of ink.
        images = np.rint(pixels.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
        return Images(tuple("0123456789"), ArraySplit(images, labels), None)


@dataclass(frozen=True)
class IdxImages:
    """Grey images and labels in gzipped IDX files, as MNIST and its relatives come.

    classes: names of labels 0, 1, ... addresses: official ones, tried after the mirrors. train, test: the files of
    images and labels.
    """

    classes: tuple[str, ...]
    addresses: tuple[str, ...]
    train: tuple[RemoteFile, RemoteFile]
    test: tuple[RemoteFile, RemoteFile]

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        files = (*self.train, *self.test)
        return [fetch(file, folder, (*mirrors, *self.addresses), retries).name for file in files]

    def read(self, folder: Path, threads: int = 1) -> Images:
        return Images(self.classes, *(self._split(folder, *files) for files in (self.train, self.test)))

    def _split(self, folder: Path, images: RemoteFile, labels: RemoteFile) -> ArraySplit:
        pixels = _idx(folder / images.name, mnist.read_image_file).unsqueeze(3).numpy()
        known = _idx(folder / labels.name, mnist.read_label_file).numpy()
        if len(pixels) != len(known):
            raise unreadable(folder / labels.name, f"{len(known)} labels for {len(pixels)} images")
        if len(known) and known.max() >= len(self.classes):
            raise unreadable(folder / labels.name, f"label {known.max()} of {len(self.classes)} classes")
        return ArraySplit(pixels, known)


def _idx(path: Path, read) -> torch.Tensor:
    """Unpack and read an IDX file by one of torchvision's functions, which want it unpacked."""
    with tempfile.TemporaryDirectory() as unpacked:
        plain = Path(unpacked) / "idx"
        try:
            with gzip.open(path) as source, open(plain, "wb") as sink:
                shutil.copyfileobj(source, sink)
            return read(str(plain))
        except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, AssertionError, RuntimeError) as error:
            raise unreadable(path, error) from None


def _gz(name: str, *checksums: str) -> RemoteFile:
    return RemoteFile(f"{name}.gz", checksums)


# 60,000 + 10,000 articles of clothing, 28 x 28 grey (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747), MIT licence.
# Each file's first checksum is the official one (the file whose MD5 torchvision lists), the second that of Debian's
# package dataset-fashion-mnist, whose gzip headers lack name and date; the content is the same.
FASHION_MNIST = IdxImages(
    classes=tuple(FashionMNIST.classes),
    addresses=(
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
        *FashionMNIST.mirrors,
    ),
    train=(
        _gz(
            "train-images-idx3-ubyte",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
        ),
        _gz(
            "train-labels-idx1-ubyte",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
        ),
    ),
    test=(
        _gz(
            "t10k-images-idx3-ubyte",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        ),
        _gz(
            "t10k-labels-idx1-ubyte",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        ),
    ),
)

SOURCES: dict[str, Source] = {
    "digits": Digits(),
    "fashion_mnist": FASHION_MNIST,
    "cifar10": published_sets.CIFAR10,
    "cifar100": published_sets.CIFAR100,
    "stl10": published_sets.STL10,
    "svhn": published_sets.SVHN,
    "imagenette": published_sets.IMAGENETTE,
    "imagewoof": published_sets.IMAGEWOOF,
    "tiny_imagenet": published_sets.TINY_IMAGENET,
    "files": ImageFiles(),
}


def find_source(name: str) -> Source:
    """The source of this name. Raises: Problem that lists the known ones."""
    try:
        return SOURCES[name]
    except KeyError:
        raise Problem(
            f"{name!r} is not a known source of images; known are {', '.join(SOURCES)}. Set `source` in section "
            "`download` of the recipe to one of them."
        ) from None
