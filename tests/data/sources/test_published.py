"""The published data sets, from small archives of the same format, with torchvision's classes as second opinion."""

import hashlib
import io
import pickle
import re
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from helpers.file_server import FileServer
from vi_simsiam.core.errors import Problem
from vi_simsiam.data.fetch import RemoteFile
from vi_simsiam.data.sources.base import Images, Published
from vi_simsiam.data.sources.binary import Cifar
from vi_simsiam.data.sources.published import PublishedArchive
from vi_simsiam.data.sources.registry import SOURCES
from vi_simsiam.data.splits import split_rows

DRAW = np.random.RandomState(0)


def noise(*shape):
    return DRAW.randint(0, 256, shape).astype(np.uint8)


def tgz(members):
    """A .tar.gz of these members: name -> bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def picture(side=20):
    file = io.BytesIO()
    Image.fromarray(noise(side, side, 3)).save(file, "JPEG", quality=95)
    return file.getvalue()


def unpacked(data, folder):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        # Debian's Python 3.11.2 has no filters yet, and newer ones warn without one.
        tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def with_files(source, *contents):
    """The source with files of other contents."""
    pairs = zip(source.files, contents, strict=True)
    return replace(
        source, files=tuple(RemoteFile(file.name, (hashlib.sha256(data).hexdigest(),)) for file, data in pairs)
    )


def everything(split, size):
    return split.decode(np.arange(len(split.labels)), size)


def cifar_members(source: Cifar, count=4):
    names = "\n".join(f"class {i}" for i in range(100 if source.labels == 2 else 10)) + "\n\n"
    members = {source.names: names.encode()}
    for name in (*source.train, *source.test):
        records = noise(count, source.labels + 3072)
        records[:, : source.labels] %= 10
        members[name] = records.tobytes()
    return members


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_torchvisions(name, tmp_path):
    """The same numbers in the layout of the pickles that torchvision reads."""
    source: Cifar = SOURCES[name]
    members = cifar_members(source)
    source, data = with_files(source, tgz(members)), tgz(members)
    (tmp_path / source.files[0].name).write_bytes(data)
    images = source.read(tmp_path)
    assert images.classes[:2] == ("class 0", "class 1") and len(images.classes) == (10 if name == "cifar10" else 100)

    folder = tmp_path / ("cifar-10-batches-py" if name == "cifar10" else "cifar-100-python")
    folder.mkdir()
    theirs = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
    for member, other in zip((*source.train, *source.test), theirs if name == "cifar10" else ["train", "test"],
                             strict=True):  # fmt: skip
        records = np.frombuffer(members[member], np.uint8).reshape(-1, source.labels + 3072)
        labels = {"labels" if name == "cifar10" else "fine_labels": records[:, source.labels - 1].tolist()}
        (folder / other).write_bytes(pickle.dumps({"data": records[:, source.labels :], **labels}))
    meta = {"label_names": list(images.classes), "fine_label_names": list(images.classes)}
    (folder / ("batches.meta" if name == "cifar10" else "meta")).write_bytes(pickle.dumps(meta))

    class Theirs(datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100):
        def _check_integrity(self):
            return True

        def _load_meta(self):
            pass

    for train, split in ((True, images.train), (False, images.test)):
        expected = Theirs(tmp_path, train=train)
        assert split.labels.tolist() == expected.targets and split.labels.dtype == np.int64
        assert np.array_equal(everything(split, 32), expected.data)
    assert images.train.paths(np.array([3])) == ["3"] and images.train.channels == 3


def stl10_members():
    members = {"stl10_binary/class_names.txt": "\n".join(f"kind {i}" for i in range(10)).encode()}
    for part, count in (("train", 6), ("unlabeled", 9), ("test", 4)):
        members[f"stl10_binary/{part}_X.bin"] = noise(count, 3, 96, 96).tobytes()
        if part != "unlabeled":
            members[f"stl10_binary/{part}_y.bin"] = (1 + np.arange(count)).astype(np.uint8).tobytes()
    return members


def test_stl10_is_torchvisions(tmp_path):
    data = tgz(stl10_members())
    source = with_files(SOURCES["stl10"], data)
    (tmp_path / source.files[0].name).write_bytes(data)
    images = source.read(tmp_path)
    unpacked(data, tmp_path)

    class Theirs(datasets.STL10):
        def _check_integrity(self):
            return True

    for name, split in (("train+unlabeled", images.train), ("test", images.test)):
        expected = Theirs(tmp_path, name)
        assert split.labels.tolist() == expected.labels.astype(int).tolist()
        assert np.array_equal(everything(split, 96), expected.data.transpose(0, 2, 3, 1))
    assert images.classes == tuple(Theirs(tmp_path, "test").classes)
    some = np.array([2, 5, 6, 14])
    assert np.array_equal(images.train.decode(some, 96), everything(images.train, 96)[some])
    train, test = split_rows(images.train.labels, images.test.labels, 0.2, None, None, 0)
    assert len(train) == 15 and len(test) == 4


def mat(count, labels=None):
    """An SVHN file: images (32, 32, 3, n), labels (n, 1) in 1..10."""
    file = io.BytesIO()
    labels = 1 + np.arange(count) % 10 if labels is None else labels
    savemat(file, {"X": noise(32, 32, 3, count), "y": np.array(labels, np.uint8)[:, None]}, do_compression=True)
    return file.getvalue()


def test_svhn_is_torchvisions(tmp_path):
    contents = mat(12), mat(11)
    source = with_files(SOURCES["svhn"], *contents)
    for file, data in zip(source.files, contents, strict=True):
        (tmp_path / file.name).write_bytes(data)
    images = source.read(tmp_path)

    class Theirs(datasets.SVHN):
        def _check_integrity(self):
            return True

    for name, split in (("train", images.train), ("test", images.test)):
        expected = Theirs(tmp_path, name)
        assert split.labels.tolist() == expected.labels.tolist() and 0 in split.labels
        assert np.array_equal(everything(split, 32), expected.data.transpose(0, 2, 3, 1))
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
    source: PublishedArchive = SOURCES[name]
    data = tgz(imagenette_members(source))
    source = with_files(source, data)
    (tmp_path / source.files[0].name).write_bytes(data)
    images = source.read(tmp_path, threads=2)
    unpacked(data, tmp_path)
    for folder, split in (("train", images.train), ("val", images.test)):
        expected = datasets.ImageFolder(tmp_path / source.files[0].name.removesuffix(".tgz") / folder)
        assert split.labels.tolist() == expected.targets
        assert images.classes == tuple(source.names[wnid] for wnid in expected.classes)
        assert np.array_equal(everything(split, 20), [np.array(image) for image, _ in expected])
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
    data = zipped(members)
    source = with_files(SOURCES["tiny_imagenet"], data)
    (tmp_path / source.files[0].name).write_bytes(data)
    images = source.read(tmp_path)
    assert images.classes == ("goldfish", "great white shark")
    assert images.train.labels.tolist() == [0, 0, 1, 1] and images.test.labels.tolist() == [1, 0]
    top = "tiny-imagenet-200"
    assert images.test.paths(np.arange(2)) == [f"{top}/val/images/val_0.JPEG", f"{top}/val/images/val_1.JPEG"]
    for split in (images.train, images.test):
        paths = split.paths(np.arange(len(split.labels)))
        assert np.array_equal(everything(split, 20), [np.array(Image.open(io.BytesIO(members[p]))) for p in paths])
    assert images.report.ignored["images that are not asked for"] == (1, f"{top}/test/images/test_0.JPEG")
    del members[f"{top}/val/val_annotations.txt"]
    (tmp_path / source.files[0].name).write_bytes(zipped(members))
    with pytest.raises(Problem, match=r"it has no val/val_annotations\.txt"):
        source.read(tmp_path)


def made(name):
    """A source whose file is a small one of the same format, and that file."""
    source = SOURCES[name]
    data = {
        "cifar10": lambda: tgz(cifar_members(source)),
        "cifar100": lambda: tgz(cifar_members(source)),
        "stl10": lambda: tgz(stl10_members()),
        "imagenette": lambda: tgz(imagenette_members(source)),
        "imagewoof": lambda: tgz(imagenette_members(source)),
        "tiny_imagenet": lambda: zipped(tiny_members()),
    }[name]()
    return replace(with_files(source, data), addresses=()), data


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "stl10", "imagenette", "imagewoof", "tiny_imagenet"])
def test_from_a_server_that_breaks_off_or_has_something_else(name, tmp_path):
    source, data = made(name)
    file = source.files[0].name
    with FileServer({file: data}, {file: [("cut", len(data) // 2)]}) as server:
        assert source.download(tmp_path / "raw", [server.base], 1) == [file]
        assert server.requests == [(file, None), (file, f"bytes={len(data) // 2}-")]
    images = source.read(tmp_path / "raw")
    assert isinstance(images, Images) and len(images.train.labels) >= len(images.test.labels) > 0
    for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data[: len(data) // 2]):  # another file; one that is too short
        with FileServer({file: wrong}) as server, pytest.raises(Problem, match="wrong checksum"):
            source.download(tmp_path / "new", [server.base], 0)
        assert not (tmp_path / "new" / file).exists()


@pytest.mark.parametrize("name", ["cifar10", "stl10", "imagenette", "tiny_imagenet"])
def test_a_truncated_archive_is_named(name, tmp_path):
    """Whatever its checksum: the reader does not take a part for the whole."""
    source, data = made(name)
    (tmp_path / source.files[0].name).write_bytes(data[: len(data) // 2])
    with pytest.raises(Problem, match=re.escape(source.files[0].name)):
        source.read(tmp_path)


def test_svhn_from_a_server(tmp_path):
    files = mat(12), mat(11)
    source = replace(with_files(SOURCES["svhn"], *files), addresses=())
    names = [file.name for file in source.files]
    contents = dict(zip(names, files, strict=True))
    with FileServer(contents, {names[0]: [("cut", 100)]}) as server:
        assert source.download(tmp_path, [server.base], 1) == names
    assert len(source.read(tmp_path).test.labels) == 11
    for data, words in ((files[0][:200], "train_32x32.mat cannot be read"), (b"", "cannot be read")):
        (tmp_path / names[0]).write_bytes(data)
        with pytest.raises(Problem, match=words):
            source.read(tmp_path)
    (tmp_path / names[0]).write_bytes(mat(3, labels=[1, 2, 11]))
    with pytest.raises(Problem, match="label 11 of 10 classes"):
        source.read(tmp_path)


@pytest.mark.parametrize(
    ("member", "data", "words"),
    [
        ("cifar-10-batches-bin/test_batch.bin", b"\0" * 3074, "3074 bytes, no whole number of records of 3073"),
        ("cifar-10-batches-bin/test_batch.bin", b"", "0 bytes, no whole number"),
        ("cifar-10-batches-bin/test_batch.bin", b"\x0a" * 3073, "label 10 of 10 classes"),
        ("cifar-10-batches-bin/test_batch.bin", None, "it has no cifar-10-batches-bin/test_batch.bin"),
    ],
)
def test_cifar_archives_that_are_not_what_they_should_be(member, data, words, tmp_path):
    source = SOURCES["cifar10"]
    members = {name: content for name, content in cifar_members(source).items() if name != member or data is not None}
    if data is not None:
        members[member] = data
    (tmp_path / source.files[0].name).write_bytes(tgz(members))
    with pytest.raises(Problem, match=re.escape(words)):
        source.read(tmp_path)


def test_members_are_taken_by_name_and_never_unpacked(tmp_path):
    source = SOURCES["cifar10"]
    members = cifar_members(source)
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / source.files[0].name).write_bytes(tgz({"../outside.bin": b"x", "/tmp/outside.bin": b"x", **members}))
    assert len(source.read(raw).test.labels) == 4
    assert [path.name for path in raw.iterdir()] == [source.files[0].name] and not (tmp_path / "outside.bin").exists()


def test_checksums_are_well_formed_and_of_known_files():
    for name, source in SOURCES.items():
        assert isinstance(source, Published) or name in ("digits", "files")
        for file in source.files if isinstance(source, Published) else ():
            assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in file.sha256), name
            assert all(re.fullmatch(r"[0-9a-f]{32}", value) for value in file.md5), name
    ours, svhn = SOURCES["svhn"], datasets.SVHN.split_list
    assert [file.name for file in ours.files] == [svhn["train"][1], svhn["test"][1]]
    assert ours.addresses[0] + ours.files[0].name == svhn["train"][0]
    stl10 = SOURCES["stl10"]
    assert stl10.addresses[0] + stl10.files[0].name == datasets.STL10.url
    imagenette = SOURCES["imagenette"]
    assert imagenette.addresses[0] + imagenette.files[0].name == datasets.Imagenette._ARCHIVES["160px"][0]
