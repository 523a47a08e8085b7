"""Published data sets: their files, and the classes that read them.

A source brings its raw files into a folder (`download`) and reads them from it (`read`). A data set of a known format
takes a row of SOURCES and a recipe in params.yaml; another format takes a class.

SHA-256 are from TensorFlow Datasets (url_checksums; STL-10, SVHN, Imagenette), Keras (CIFAR) and FastAI.jl (Imagewoof).
For Tiny ImageNet several libraries agree on an MD5; no SHA-256 is published.
"""

import gzip
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import replacing, writing
from vi_simsiam.data.archives import Archive, open_archive
from vi_simsiam.data.decode import FULL_DEPTH
from vi_simsiam.data.fetch import RemoteFile, fetch
from vi_simsiam.data.image_files import read_archive
from vi_simsiam.data.image_sets import Depth, Images, Source, Split
from vi_simsiam.data.own_images import OwnImages


@dataclass(frozen=True)
class Published:
    """A source whose files anybody can fetch; subclasses add `read`.

    files: in the order in which `read` takes them. addresses: the official ones, tried after the mirrors.
    """

    files: tuple[RemoteFile, ...]
    addresses: tuple[str, ...]

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        return [fetch(file, folder, (*mirrors, *self.addresses), retries).name for file in self.files]


@dataclass(frozen=True)
class TorchvisionSet(Published):
    """A data set that a class of `torchvision.datasets` reads.

    reader: name of the class. train, test: its arguments for the training set and for the test set.
    digits: whether the classes, which torchvision does not name, are digits.
    """

    reader: str
    train: Mapping[str, Any] = field(default_factory=lambda: {"train": True})
    test: Mapping[str, Any] = field(default_factory=lambda: {"train": False})
    digits: bool = False

    def read(self, folder: Path, size: int, depth: Depth = FULL_DEPTH, threads: int = 1, labels: bool = True) -> Images:
        from torchvision import datasets  # not above: it takes seconds, and other sources do not need it

        reader = getattr(datasets, self.reader)
        paths = [folder / file.name for file in self.files]
        for file, path in zip(self.files, paths, strict=True):
            if fault := file.fault(path):  # CIFAR's are pickles, which can run any code when they are read
                raise Problem(f"{path} cannot be read: {fault}. Delete the folder {folder} and run again.")
        with _unpacked(paths, folder, getattr(reader, "base_folder", f"{self.reader}/raw")) as root:
            train, test = reader(root, **self.train), reader(root, **self.test)
        classes = tuple("0123456789") if self.digits else tuple(train.classes)
        return Images(classes, _split(train, size), _split(test, size))


@contextmanager
def _unpacked(paths: Sequence[Path], folder: Path, inside: str) -> Iterator[Path]:
    """Unpack `paths` into the folder `inside` of a temporary folder, as torchvision expects, and remove it at the end.

    Files .mat are not packed: they are read in `folder`.
    """
    if all(path.suffix == ".mat" for path in paths):
        yield folder
        return
    root = folder.with_name(f".{folder.name}.unpacked")
    shutil.rmtree(root, ignore_errors=True)  # left by a killed process
    try:
        with writing(root):
            (root / inside).mkdir(parents=True)
            for path in paths:
                if path.name.endswith(".tar.gz"):
                    with tarfile.open(path) as tar:
                        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has none
                        tar.extractall(root)
                else:
                    with gzip.open(path) as source, open(root / inside / path.stem, "wb") as sink:
                        shutil.copyfileobj(source, sink)
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _split(part: Any, size: int) -> Split:
    """Convert a data set of torchvision, whose images are (N, H, W), (N, H, W, 3) or (N, 3, H, W)."""
    images = np.asarray(part.data)
    labels = np.asarray(part.targets if hasattr(part, "targets") else part.labels).astype(np.int64)
    if images.ndim == 3:
        images = images[..., None]
    elif images.shape[3] != 3:
        images = images.transpose(0, 2, 3, 1)
    return Split(images, labels, size)


@dataclass(frozen=True)
class PublishedArchive(Published):
    """Images in train/<class>/... and val/<class>/... of one archive. Classes are WordNet's numbers.

    files: the archive. names: names of the classes by their folders.
    """

    names: Mapping[str, str]

    def read(self, folder: Path, size: int, depth: Depth = FULL_DEPTH, threads: int = 1, labels: bool = True) -> Images:
        images = read_archive(open_archive(folder / self.files[0].name), folder, size, depth, threads)
        return replace(images, classes=tuple(self.names.get(name, name) for name in images.classes))


@dataclass(frozen=True)
class TinyImageNet(Published):
    """Tiny ImageNet: 100,000 + 10,000 images of 200 classes, 64 x 64.

    The validation images are the test set; a table has their labels. The labels of the images in test/ are not
    published, so these are not used.

    files: the archive.
    """

    def read(self, folder: Path, size: int, depth: Depth = FULL_DEPTH, threads: int = 1, labels: bool = True) -> Images:
        archive = open_archive(folder / self.files[0].name)
        class_of = {row[0]: row[1] for row in _table(archive, "val/val_annotations.txt")}
        names = {row[0]: row[1].split(",")[0] for row in _table(archive, "words.txt")}

        def place(name: str) -> str | None:
            parts = PurePosixPath(name).parts
            if "train" in parts:
                return "/".join(parts[parts.index("train") :])
            return f"val/{class_of[parts[-1]]}/{parts[-1]}" if "val" in parts else None

        images = read_archive(archive, folder, size, depth, threads, place)
        return replace(images, classes=tuple(names.get(name, name) for name in images.classes))


def _table(archive: Archive, name: str) -> list[list[str]]:
    """Lines of a member, split at tabs."""
    member = next(member for member in archive.members if member.name.endswith(f"/{name}"))
    return [line.split("\t") for line in archive.read(member).decode().splitlines()]


class Digits:
    """1,797 handwritten digits, 8 x 8 grey, from the test set of the UCI Optical Recognition data.

    The file is part of scikit-learn (`sklearn.datasets.load_digits`), so nothing is downloaded. The digits come from 14
    forms: the labels repeat nearly the same sequence 14 times. One person wrote the digits of a form.
    """

    _FILE = "digits.csv.gz"
    # The first digit of each form.
    _FORMS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        # The file is found without an import of scikit-learn, which would take longer than everything else.
        package = find_spec("sklearn")
        if package is None or package.origin is None:
            raise Problem("scikit-learn, which brings the digits, is not installed. Install the project again.")
        inside = Path(package.origin).parent / "datasets/data" / self._FILE
        with inside.open("rb") as source, replacing(folder / self._FILE) as temporary, open(temporary, "wb") as sink:
            shutil.copyfileobj(source, sink)
        return [self._FILE]

    def read(self, folder: Path, size: int, depth: Depth = FULL_DEPTH, threads: int = 1, labels: bool = True) -> Images:
        table = np.loadtxt(folder / self._FILE, delimiter=",")  # as scikit-learn; it unpacks .gz
        pixels, digits = table[:, :64], table[:, 64].astype(np.int64)
        # 8 x 8 pixels that count 0..16 points of ink.
        images = np.rint(pixels.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
        form = np.searchsorted(self._FORMS, np.arange(len(images)), side="right") - 1
        return Images(tuple("0123456789"), Split(images, digits, size, form), None)


_TORONTO = ("https://www.cs.toronto.edu/~kriz/",)
_FASTAI = ("https://s3.amazonaws.com/fast-ai-imageclas/",)


def _gz(name: str, *checksums: str) -> RemoteFile:
    return RemoteFile(f"{name}.gz", checksums)


SOURCES: dict[str, Source] = {
    "digits": Digits(),
    # 60,000 + 10,000 articles of clothing, 28 x 28 grey (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747), MIT licence.
    # Each file's first checksum is the official one (the file whose MD5 torchvision lists), the second that of Debian's
    # package dataset-fashion-mnist, whose gzip headers lack name and date; the content is the same.
    "fashion_mnist": TorchvisionSet(
        reader="FashionMNIST",
        addresses=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # the same by another name
        ),
        files=(
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
    ),
    # 50,000 + 10,000 photographs, 32 x 32, 10 or 100 classes (Krizhevsky 2009).
    "cifar10": TorchvisionSet(
        (RemoteFile("cifar-10-python.tar.gz", ("6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",)),),
        _TORONTO,
        reader="CIFAR10",
    ),
    "cifar100": TorchvisionSet(
        (RemoteFile("cifar-100-python.tar.gz", ("85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",)),),
        _TORONTO,
        reader="CIFAR100",
    ),
    # Coates, Lee, Ng 2011. Trainings use both parts of the training set, the labelled images first; a probe uses the
    # labelled ones.
    "stl10": TorchvisionSet(
        (RemoteFile("stl10_binary.tar.gz", ("f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",)),),
        ("http://ai.stanford.edu/~acoates/stl10/",),
        reader="STL10",
        train={"split": "train+unlabeled"},
        test={"split": "test"},
    ),
    # Netzer et al. 2011; cropped digits.
    "svhn": TorchvisionSet(
        (
            RemoteFile("train_32x32.mat", ("435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",)),
            RemoteFile("test_32x32.mat", ("cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",)),
        ),
        ("http://ufldl.stanford.edu/housenumbers/",),
        reader="SVHN",
        train={"split": "train"},
        test={"split": "test"},
        digits=True,
    ),
    # Ten easy and ten hard classes of ImageNet (Howard, fast.ai), shorter side 160 pixels.
    "imagenette": PublishedArchive(
        (RemoteFile("imagenette2-160.tgz", ("88daccb09b6fce93f45e6c09ddeb269cce705549e6bff322092a2a5a11489863",)),),
        _FASTAI,
        names={
            "n01440764": "tench",
            "n02102040": "English springer",
            "n02979186": "cassette player",
            "n03000684": "chain saw",
            "n03028079": "church",
            "n03394916": "French horn",
            "n03417042": "garbage truck",
            "n03425413": "gas pump",
            "n03445777": "golf ball",
            "n03888257": "parachute",
        },
    ),
    "imagewoof": PublishedArchive(
        (RemoteFile("imagewoof2-160.tgz", ("663c22f69c2802d85e2a67103c017e047096702ffddf9149a14011b7002539bf",)),),
        _FASTAI,
        names={
            "n02086240": "Shih-Tzu",
            "n02087394": "Rhodesian ridgeback",
            "n02088364": "beagle",
            "n02089973": "English foxhound",
            "n02093754": "Border terrier",
            "n02096294": "Australian terrier",
            "n02099601": "golden retriever",
            "n02105641": "Old English sheepdog",
            "n02111889": "Samoyed",
            "n02115641": "dingo",
        },
    ),
    # Stanford's course CS231n.
    "tiny_imagenet": TinyImageNet(
        (RemoteFile("tiny-imagenet-200.zip", ("90528d7ca1a48142e341f4ef8d21d0de",)),),
        ("http://cs231n.stanford.edu/",),
    ),
    "files": OwnImages(),
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
