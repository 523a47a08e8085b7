"""Data sets published as plain numbers: CIFAR's and STL-10's binary versions, SVHN's .mat files.

CIFAR is also published as Python pickles, which can run any code when they are read; its binary version has the same
images. Members of an archive are taken by their exact names and copied to files without names: nothing is unpacked by
what the archive says.
"""

import gzip
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.sources.base import ArraySplit, Images, Published, unreadable
from vi_simsiam.transforms.resizing import resize

_BLOCK = 1 << 20


@dataclass(frozen=True)
class PlanarSplit:
    """A `Split` of records on the disk, read as they are asked for.

    records: (N, bytes) uint8, a memory map; the last channels x side x side bytes of a record are the image, one plane
    per colour. labels: (N,) int64. columnwise: planes are written column by column (as MATLAB does), not row by row.
    """

    records: np.ndarray
    labels: np.ndarray
    side: int
    columnwise: bool = False
    channels: int = 3

    def decode(self, rows: np.ndarray, size: int) -> np.ndarray:
        values = self.channels * self.side**2
        planes = np.array(self.records[rows, -values:]).reshape(-1, self.channels, self.side, self.side)
        images = planes.transpose((0, 3, 2, 1) if self.columnwise else (0, 2, 3, 1))
        return resize(np.ascontiguousarray(images), size)

    def paths(self, rows: np.ndarray) -> list[str]:
        return [str(row) for row in rows]


@dataclass(frozen=True)
class Cifar(Published):
    """CIFAR-10 or CIFAR-100, binary version: a record is its labels, a byte each, the last of which counts, and 3 x 32
    x 32 values.

    files: the archive. names: its member with the classes' names, a line each. train, test: members with records.
    labels: label bytes in a record.
    """

    names: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: int

    def read(self, folder: Path, threads: int = 1) -> Images:
        path = folder / self.files[0].name
        contents = _members(path, (self.names, *self.train, *self.test))
        classes = _lines(contents[self.names])
        splits = []
        for members in (self.train, self.test):
            records = [_records(path, name, contents[name], self.labels + 3 * 32 * 32) for name in members]
            joined = records[0] if len(records) == 1 else np.concatenate(records)
            labels = joined[:, self.labels - 1].astype(np.int64)
            splits.append(PlanarSplit(joined, _checked(path, labels, classes), 32))
        return Images(classes, *splits)


@dataclass(frozen=True)
class Stl10(Published):
    """STL-10: 5,000 labelled and 100,000 unlabelled images to train on, 8,000 labelled to test on, 3 x 96 x 96.

    Both parts of the training set are trained on, labels aside; the labelled ones come first. A probe has the labels
    of those that have one.

    files: the archive.
    """

    _SIDE = 96

    def read(self, folder: Path, threads: int = 1) -> Images:
        path, top = folder / self.files[0].name, "stl10_binary"
        members = [f"{top}/{name}" for name in ("class_names.txt", "train_X.bin", "train_y.bin", "unlabeled_X.bin",
                                                 "test_X.bin", "test_y.bin")]  # fmt: skip
        contents = _members(path, members)
        classes = _lines(contents[members[0]])
        images = {name: _records(path, name, contents[name], 3 * self._SIDE**2) for name in members if "_X" in name}
        labels = {name: contents[name].astype(np.int64) - 1 for name in members if "_y" in name}
        for part in ("train", "test"):
            numbers, count = labels[f"{top}/{part}_y.bin"], len(images[f"{top}/{part}_X.bin"])
            if len(numbers) != count:
                raise unreadable(path, f"{part}_y.bin has {len(numbers)} labels for {count} images")
            _checked(path, numbers, classes)
        train = _Chained(tuple(
            PlanarSplit(images[f"{top}/{part}_X.bin"], numbers, self._SIDE, columnwise=True)
            for part, numbers in (
                ("train", labels[f"{top}/train_y.bin"]),
                ("unlabeled", np.full(len(images[f"{top}/unlabeled_X.bin"]), -1)),
            )
        ))  # fmt: skip
        test = PlanarSplit(images[f"{top}/test_X.bin"], labels[f"{top}/test_y.bin"], self._SIDE, columnwise=True)
        return Images(classes, train, test)


@dataclass(frozen=True)
class _Chained:
    """A `Split` of others, one after the other."""

    parts: tuple[PlanarSplit, ...]

    @property
    def labels(self) -> np.ndarray:
        return np.concatenate([part.labels for part in self.parts])

    @property
    def channels(self) -> int:
        return self.parts[0].channels

    def decode(self, rows: np.ndarray, size: int) -> np.ndarray:
        out = np.empty((len(rows), size, size, self.channels), np.uint8)
        first = 0
        for part in self.parts:
            mine = (rows >= first) & (rows < first + len(part.labels))
            if mine.any():
                out[mine] = part.decode(rows[mine] - first, size)
            first += len(part.labels)
        return out

    def paths(self, rows: np.ndarray) -> list[str]:
        return [str(row) for row in rows]


@dataclass(frozen=True)
class Svhn(Published):
    """Street View House Numbers, cropped digits: 73,257 + 26,032 images, 3 x 32 x 32, in MATLAB 5 files.

    files: of training, of testing; the label of the digit 0 is written 10.
    """

    def read(self, folder: Path, threads: int = 1) -> Images:
        classes = tuple("0123456789")
        return Images(classes, *(self._split(folder / file.name, classes) for file in self.files))

    def _split(self, path: Path, classes: tuple[str, ...]) -> ArraySplit:
        from scipy.io import loadmat  # here, because it takes longer than all that a short download does

        try:
            arrays = loadmat(path, variable_names=["X", "y"])  # numbers alone are read, nothing is run
            images, labels = arrays["X"], arrays["y"].ravel()
        except Exception as error:  # scipy's reader raises anything over a damaged file
            raise unreadable(path, error) from None
        if (
            images.dtype != np.uint8
            or images.ndim != 4
            or images.shape[:3] != (32, 32, 3)
            or labels.dtype.kind not in "uif"
        ):
            raise unreadable(path, f"it holds {images.dtype} {images.shape}, not uint8 (32, 32, 3, images)")
        if len(labels) != images.shape[3] or labels.dtype.kind not in "uif":
            raise unreadable(path, f"{len(labels)} labels ({labels.dtype}) for {images.shape[3]} images")
        labels = labels.astype(np.int64)
        labels[labels == len(classes)] = 0
        return ArraySplit(np.ascontiguousarray(images.transpose(3, 0, 1, 2)), _checked(path, labels, classes))


def _members(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The bytes of members of a .tar.gz, by exact name, each a memory map of a file that goes when it does."""
    contents: dict[str, np.ndarray] = {}
    try:
        with gzip.open(path) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            for info in tar:
                name = info.name.removeprefix("./")
                if name in names and name not in contents and info.isreg():
                    contents[name] = _mapped(tar.extractfile(info), info.size, path.parent)
                if len(contents) == len(names):
                    break
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise unreadable(path, error) from None
    if missing := sorted(set(names) - set(contents)):
        raise unreadable(path, f"it has no {missing[0]}")
    return contents


def _mapped(source, size: int, folder: Path) -> np.ndarray:
    if size == 0:
        return np.zeros(0, np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:  # without a name; the map keeps it
        copied = 0
        while block := source.read(_BLOCK):
            try:
                copied += file.write(block)
            except OSError as error:
                raise Problem(f"{folder} cannot be written: {error.strerror}. Make room and run again.") from None
        if copied != size:
            raise EOFError(f"a member ends after {copied} of {size} bytes")
        file.flush()
        return np.memmap(file, np.uint8, mode="r")


def _records(path: Path, name: str, content: np.ndarray, length: int) -> np.ndarray:
    if len(content) == 0 or len(content) % length:
        raise unreadable(path, f"{name} has {len(content)} bytes, no whole number of records of {length}")
    return content.reshape(-1, length)


def _lines(content: np.ndarray) -> tuple[str, ...]:
    return tuple(line.strip() for line in content.tobytes().decode("utf-8", "replace").splitlines() if line.strip())


def _checked(path: Path, labels: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """The labels, each of which must be the number of a class."""
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise unreadable(path, f"label {wrong} of {len(classes)} classes")
    return np.asarray(labels)
