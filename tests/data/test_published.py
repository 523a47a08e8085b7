"""The published data sets, from small archives of the same format, read by torchvision where it can."""

import gzip
import hashlib
import io
import pickle
import re
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from sklearn.datasets import load_digits
from torchvision import datasets
from torchvision.datasets import cifar, stl10, svhn

from helpers.archives import tarred, zipped
from helpers.images import encoded
from vi_simsiam.core.errors import Problem
from vi_simsiam.data.fetch import RemoteFile
from vi_simsiam.data.published import SOURCES, Published, PublishedArchive, find_source
from vi_simsiam.data.splits import split_rows

DRAW = np.random.RandomState(0)
FASHION_MNIST = SOURCES["fashion_mnist"]
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
of_debian = pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")


def noise(*shape):
    return DRAW.randint(0, 256, shape).astype(np.uint8)


def tgz(members):
    """A .tar.gz of these members: name -> bytes."""
    file = io.BytesIO()
    tarred(file, members.items(), "w:gz")
    return file.getvalue()


def zip_of(members):
    file = io.BytesIO()
    zipped(file, members.items())
    return file.getvalue()


def picture(side=20):
    return encoded(noise(side, side, 3), "JPEG", quality=95)


def unpacked(data, folder):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        # Debian's Python 3.11.2 has no filters yet, and newer ones warn without one.
        tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def brought(name, folder, *contents):
    """The source with files of other contents, which lie in the folder."""
    folder.mkdir(exist_ok=True)
    files = []
    for file, data in zip(SOURCES[name].files, contents, strict=True):
        (folder / file.name).write_bytes(data)
        files.append(RemoteFile(file.name, (hashlib.sha256(data).hexdigest(),)))
    return replace(SOURCES[name], files=tuple(files))


def everything(split):
    return split.pixels(np.arange(len(split.labels)))


def test_digits_are_scikit_learns(tmp_path):
    assert SOURCES["digits"].download(tmp_path, [], 0) == ["digits.csv.gz"]
    images = SOURCES["digits"].read(tmp_path, 8)
    expected = load_digits()
    assert images.test is None and images.classes == tuple("0123456789")
    assert np.array_equal(images.train.labels, expected.target)
    pixels = everything(images.train)
    assert pixels.shape == (1797, 8, 8, 1) and pixels.dtype == np.uint8
    assert np.abs(pixels[..., 0] / 255 * 16 - expected.images).max() < 0.04  # to the nearest of 256 levels
    assert pixels.max() == 255 and pixels.min() == 0


def idx(array):
    """A gzipped IDX file of unsigned bytes."""
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def test_fashion_mnist_from_a_mirror(tmp_path):
    train, train_labels, test, test_labels = noise(7, 28, 28), noise(7) % 10, noise(3, 28, 28), noise(3) % 10
    mirror = tmp_path / "a mirror"
    source = brought("fashion_mnist", mirror, *map(idx, (train, train_labels, test, test_labels)))
    names = source.download(tmp_path / "out", [(tmp_path / "none").as_uri(), mirror.as_uri()], 0)
    assert names == [file.name for file in source.files]
    images = source.read(tmp_path / "out", 28)
    assert images.classes[9] == "Ankle boot"
    assert np.array_equal(everything(images.train)[..., 0], train)
    assert np.array_equal(images.test.pixels(np.array([2, 0]))[..., 0], test[[2, 0]])
    assert np.array_equal(images.train.labels, train_labels) and np.array_equal(images.test.labels, test_labels)
    assert images.train.labels.dtype == np.int64 and images.train.channels == 1


@of_debian
def test_fashion_mnist_from_debians_package(tmp_path):
    FASHION_MNIST.download(tmp_path, [DEBIAN.as_uri()], 0)
    images = FASHION_MNIST.read(tmp_path, 28)
    assert np.array_equal(np.bincount(images.train.labels), [6000] * 10)
    assert np.array_equal(np.bincount(images.test.labels), [1000] * 10)
    pixels = everything(images.train) / np.float32(255)
    assert abs(pixels.mean() - 0.2860) < 1e-4 and abs(pixels.std() - 0.3530) < 1e-4  # the well-known statistics


CIFAR = {
    "cifar10": ("cifar-10-batches-py", [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], "batches.meta"),
    "cifar100": ("cifar-100-python", ["train", "test"], "meta"),
}


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    """torchvision compares its files with the checksums of the real ones."""
    for module in (cifar, stl10, svhn):
        monkeypatch.setattr(module, "check_integrity", lambda *_: True)


def cifar_members(name, count=4):
    """The pickles of CIFAR, and the images (n, 32, 32, 3) and labels that are in each."""
    folder, parts, meta = CIFAR[name]
    classes = [f"class {i}" for i in range(10 if name == "cifar10" else 100)]
    members = {f"{folder}/{meta}": pickle.dumps({"label_names": classes, "fine_label_names": classes})}
    contents = []
    for part in parts:
        images, labels = noise(count, 32, 32, 3), DRAW.randint(0, 10, count).tolist()
        names = {"labels": labels} if name == "cifar10" else {"coarse_labels": [0] * count, "fine_labels": labels}
        members[f"{folder}/{part}"] = pickle.dumps({"data": images.transpose(0, 3, 1, 2).reshape(count, -1)} | names)
        contents.append((images, labels))
    return members, contents


@pytest.mark.parametrize("name", CIFAR)
def test_cifar(name, tmp_path):
    members, contents = cifar_members(name)
    raw = tmp_path / "raw"
    source = brought(name, raw, tgz(members))
    images = source.read(raw, 32)
    assert images.classes[:2] == ("class 0", "class 1") and len(images.classes) == (10 if name == "cifar10" else 100)
    for split, parts in ((images.train, contents[:-1]), (images.test, contents[-1:])):
        assert split.labels.tolist() == [label for _, labels in parts for label in labels]
        assert split.labels.dtype == np.int64 and split.channels == 3
        assert np.array_equal(everything(split), np.concatenate([pictures for pictures, _ in parts]))
    assert images.train.paths(np.array([3])) == ["3"]
    assert source.read(raw, 16).train.pixels(np.array([2, 0])).shape == (2, 16, 16, 3)
    assert [path.name for path in tmp_path.rglob("*")] == ["raw", source.files[0].name]  # what was unpacked is gone


def stl10_members():
    members = {"stl10_binary/class_names.txt": "\n".join(f"kind {i}" for i in range(10)).encode()}
    images = {}
    for part, count in (("train", 6), ("unlabeled", 9), ("test", 4)):
        images[part] = noise(count, 96, 96, 3)
        members[f"stl10_binary/{part}_X.bin"] = images[part].transpose(0, 3, 2, 1).tobytes()  # column by column
        if part != "unlabeled":
            members[f"stl10_binary/{part}_y.bin"] = (1 + np.arange(count)).astype(np.uint8).tobytes()
    return members, images


def test_stl10(tmp_path):
    members, contents = stl10_members()
    images = brought("stl10", tmp_path, tgz(members)).read(tmp_path, 96)
    assert images.train.labels.tolist() == [0, 1, 2, 3, 4, 5] + [-1] * 9 and images.test.labels.tolist() == [0, 1, 2, 3]
    assert np.array_equal(everything(images.train), np.concatenate([contents["train"], contents["unlabeled"]]))
    assert np.array_equal(everything(images.test), contents["test"])
    assert images.classes == tuple(f"kind {i}" for i in range(10))
    some = np.array([2, 14, 5, 6])
    assert np.array_equal(images.train.pixels(some), everything(images.train)[some])
    train, test = split_rows(images.train.labels, images.test.labels, 0.2, None, None, 0)
    assert len(train) == 15 and len(test) == 4


def mat(count, labels=None):
    """An SVHN file: images (32, 32, 3, n), labels (n, 1) in 1..10."""
    file = io.BytesIO()
    labels = 1 + np.arange(count) % 10 if labels is None else labels
    images = noise(32, 32, 3, count)
    savemat(file, {"X": images, "y": np.array(labels, np.uint8)[:, None]}, do_compression=True)
    return file.getvalue(), images.transpose(3, 0, 1, 2)


def test_svhn(tmp_path):
    (train, train_images), (test, test_images) = mat(12), mat(11)
    images = brought("svhn", tmp_path, train, test).read(tmp_path, 32)
    assert images.train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]  # the digit 0 is written 10
    assert np.array_equal(everything(images.train), train_images)
    assert np.array_equal(everything(images.test), test_images)
    assert images.classes == tuple("0123456789")


def imagenette_members(source):
    top = source.files[0].name.removesuffix(".tgz")
    members = {f"{top}/noisy_{top}.csv": b"path\n"}
    for wnid in source.names:
        for split, count in (("train", 2), ("val", 1)):
            for i in range(count):
                members[f"{top}/{split}/{wnid}/{wnid}_{i}.JPEG"] = picture()
    return members


@pytest.mark.parametrize("name", ["imagenette", "imagewoof"])
def test_imagenette_is_torchvisions(name, tmp_path):
    data = tgz(imagenette_members(SOURCES[name]))
    source: PublishedArchive = brought(name, tmp_path, data)
    images = source.read(tmp_path, 20, threads=2)
    unpacked(data, tmp_path)
    for folder, split in (("train", images.train), ("val", images.test)):
        expected = datasets.ImageFolder(tmp_path / source.files[0].name.removesuffix(".tgz") / folder)
        assert split.labels.tolist() == expected.targets
        assert images.classes == tuple(source.names[wnid] for wnid in expected.classes)
        assert np.array_equal(everything(split), [np.array(image) for image, _ in expected])
        paths = [str(path).removeprefix(f"{tmp_path}/") for path, _ in expected.samples]
        assert split.paths(np.arange(len(paths))) == paths
    if name == "imagenette":
        theirs = datasets.Imagenette._WNID_TO_CLASS
        assert source.names == {wnid: names[0] for wnid, names in theirs.items()}


def tiny_members():
    top, wnids = "tiny-imagenet-200", ["n02", "n01"]
    members = {
        f"{top}/words.txt": b"n01\tgoldfish, Carassius auratus\nn02\tgreat white shark\nn03\tnothing\n",
        f"{top}/wnids.txt": b"n02\nn01\n",
        f"{top}/val/val_annotations.txt": b"val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn01\t0\t0\t9\t9\n",
        f"{top}/test/images/test_0.JPEG": picture(),
    }
    for i in range(2):
        members[f"{top}/val/images/val_{i}.JPEG"] = picture()
        for wnid in wnids:
            members[f"{top}/train/{wnid}/images/{wnid}_{i}.JPEG"] = picture()
            members[f"{top}/train/{wnid}/{wnid}_boxes.txt"] = b"x"
    return members


def test_tiny_imagenet(tmp_path):
    members = tiny_members()
    source = brought("tiny_imagenet", tmp_path, zip_of(members))
    images = source.read(tmp_path, 20)
    assert images.classes == ("goldfish", "great white shark")
    assert images.train.labels.tolist() == [0, 0, 1, 1] and images.test.labels.tolist() == [1, 0]
    top = "tiny-imagenet-200"
    assert images.test.paths(np.arange(2)) == [f"{top}/val/images/val_0.JPEG", f"{top}/val/images/val_1.JPEG"]
    for split in (images.train, images.test):
        paths = split.paths(np.arange(len(split.labels)))
        assert np.array_equal(everything(split), [np.array(Image.open(io.BytesIO(members[p]))) for p in paths])
    assert images.report.ignored["images that are not wanted"] == (1, (f"{top}/test/images/test_0.JPEG",))


def test_a_file_with_another_checksum_is_not_opened(tmp_path):
    """CIFAR's files are Python pickles, which can run any code."""
    source = SOURCES["cifar10"]
    (tmp_path / source.files[0].name).write_bytes(tgz({"cifar-10-batches-py/data_batch_1": b"cos\nsystem\n(S'x'\ntR."}))
    with pytest.raises(Problem, match="wrong checksum") as caught:
        source.read(tmp_path, 20)
    assert f"Delete the folder {tmp_path} and run again" in str(caught.value)


def test_a_full_disk_while_an_archive_is_unpacked_is_a_sentence(tmp_path, monkeypatch):
    source = brought("cifar10", tmp_path / "raw", tgz(cifar_members("cifar10")[0]))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extractall", full)
    with pytest.raises(Problem, match=r"cannot be written: No space left on device\. Make room"):
        source.read(tmp_path / "raw", 32)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_files_of_sources():
    with pytest.raises(Problem, match=r"'fashon' is not a known source of images; known are digits, fashion_mnist"):
        find_source("fashon")
    for name, source in SOURCES.items():
        for file in source.files if isinstance(source, Published) else ():
            assert file.checksums and re.fullmatch(r"[\w.-]+", file.name), name
            assert all(re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{32}", value) for value in file.checksums), name
    readers = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "stl10": datasets.STL10}
    for name, reader in readers.items():
        assert SOURCES[name].addresses[0] + SOURCES[name].files[0].name == reader.url
