import dataclasses
import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torchvision.datasets import FashionMNIST

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.fetch import RemoteFile
from vi_simsiam.data.published import SOURCES, Digits, find_source

FASHION_MNIST = SOURCES["fashion_mnist"]

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def idx(array):
    """A gzipped IDX file of unsigned bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def small(tmp_path):
    """A source like Fashion-MNIST with 7 + 3 images, in a folder that serves as mirror: (source, folder, arrays)."""
    draw = np.random.RandomState(0)
    arrays = [draw.randint(0, 256, (7, 28, 28)), draw.randint(0, 10, 7)]
    arrays += [draw.randint(0, 256, (3, 28, 28)), draw.randint(0, 10, 3)]
    mirror = tmp_path / "a mirror"
    mirror.mkdir()
    files = []
    for file, array in zip(FASHION_MNIST.files, arrays, strict=True):
        data = idx(array)
        (mirror / file.name).write_bytes(data)
        files.append(RemoteFile(file.name, (hashlib.sha256(data).hexdigest(),)))
    source = dataclasses.replace(FASHION_MNIST, addresses=(), files=tuple(files))
    return source, mirror, arrays


def test_digits_are_scikit_learns(tmp_path):
    assert Digits().download(tmp_path, [], 0) == ["digits.csv.gz"]
    images = Digits().read(tmp_path, 8)
    expected = load_digits()
    assert images.test is None and images.classes == tuple("0123456789")
    assert np.array_equal(images.train.labels, expected.target)
    pixels = images.train.pixels(np.arange(1797))
    assert pixels.shape == (1797, 8, 8, 1) and pixels.dtype == np.uint8
    assert np.abs(pixels[..., 0] / 255 * 16 - expected.images).max() < 0.04  # to the nearest of 256 levels
    assert pixels.max() == 255 and pixels.min() == 0


def test_fashion_mnist_from_a_mirror(small, tmp_path):
    source, mirror, (train, train_labels, test, test_labels) = small
    names = source.download(tmp_path / "out", [(tmp_path / "none").as_uri(), mirror.as_uri()], 0)
    assert names == [file.name for file in source.files]
    images = source.read(tmp_path / "out", 28)
    assert images.classes[9] == "Ankle boot"
    assert np.array_equal(images.train.pixels(np.arange(7))[..., 0], train)
    assert np.array_equal(images.test.pixels(np.array([2, 0]))[..., 0], test[[2, 0]])
    assert np.array_equal(images.train.labels, train_labels) and np.array_equal(images.test.labels, test_labels)
    assert images.train.labels.dtype == np.int64 and images.train.channels == 1


def test_names_and_official_files():
    assert set(SOURCES) >= {"digits", "fashion_mnist"}
    assert find_source("digits") is SOURCES["digits"]
    with pytest.raises(Problem, match=r"'fashon' is not a known source of images; known are digits, fashion_mnist"):
        find_source("fashon")
    assert [file.name for file in FASHION_MNIST.files] == [name for name, _ in FashionMNIST.resources]
    assert FASHION_MNIST.addresses[1:] == tuple(FashionMNIST.mirrors)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_from_debians_package(tmp_path):
    FASHION_MNIST.download(tmp_path, [DEBIAN.as_uri()], 0)
    images = FASHION_MNIST.read(tmp_path, 28)
    assert np.array_equal(np.bincount(images.train.labels), [6000] * 10)
    assert np.array_equal(np.bincount(images.test.labels), [1000] * 10)
    pixels = images.train.pixels(np.arange(60_000)) / np.float32(255)
    assert abs(pixels.mean() - 0.2860) < 1e-4 and abs(pixels.std() - 0.3530) < 1e-4  # the well-known statistics


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_accepted_checksums_are_of_one_content():
    """Debian's packing took name and date out of the gzip headers. Put back, the files are the official ones."""
    dates = {"train": 1504176606, "t10k": 1504176627}  # 31 August 2017, when they were packed
    md5 = dict(FashionMNIST.resources)
    for file in FASHION_MNIST.files:
        debian = (DEBIAN / file.name).read_bytes()
        date = struct.pack("<I", dates[file.name[: file.name.index("-")]])
        name = file.name.removesuffix(".gz").encode() + b"\0"
        official = debian[:3] + b"\x08" + date + debian[8:10] + name + debian[10:]
        assert hashlib.md5(official).hexdigest() == md5[file.name]
        assert file.checksums == (hashlib.sha256(official).hexdigest(), hashlib.sha256(debian).hexdigest())
