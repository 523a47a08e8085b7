"""The sources of images by name.

A source brings its raw files into a folder (`download`) and reads them from there (`read`); what it gives is decoded
piece by piece, so that a source larger than memory is no different. A data set of a format that is here already is a
row of SOURCES and a recipe in params.yaml; another format is a class in a module beside this one.

SHA-256: of CIFAR, STL-10, SVHN and Imagenette as TensorFlow Datasets lists them (url_checksums), of Imagewoof as
FastAI.jl does. Of Tiny ImageNet, only an MD5 is published that several libraries agree on.
"""

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.fetch import RemoteFile
from vi_simsiam.data.sources.base import Source
from vi_simsiam.data.sources.binary import Cifar, Stl10, Svhn
from vi_simsiam.data.sources.digits import Digits
from vi_simsiam.data.sources.folders import OwnImages
from vi_simsiam.data.sources.idx import IdxImages
from vi_simsiam.data.sources.published import PublishedArchive, TinyImageNet

_TORONTO = ("https://www.cs.toronto.edu/~kriz/",)
_FASTAI = ("https://s3.amazonaws.com/fast-ai-imageclas/",)


def _gz(name: str, *checksums: str) -> RemoteFile:
    return RemoteFile(f"{name}.gz", checksums)


SOURCES: dict[str, Source] = {
    "digits": Digits(),
    # 60,000 + 10,000 articles of clothing, 28 x 28 grey (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747), MIT licence.
    # Each file's first checksum is the official one (the file whose MD5 torchvision lists), the second that of Debian's
    # package dataset-fashion-mnist, whose gzip headers lack name and date; the content is the same.
    "fashion_mnist": IdxImages(
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
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
    "cifar10": Cifar(
        (RemoteFile("cifar-10-binary.tar.gz", ("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",)),),
        _TORONTO,
        names="cifar-10-batches-bin/batches.meta.txt",
        train=tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
        test=("cifar-10-batches-bin/test_batch.bin",),
        labels=1,
    ),
    "cifar100": Cifar(
        (RemoteFile("cifar-100-binary.tar.gz", ("58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",)),),
        _TORONTO,
        names="cifar-100-binary/fine_label_names.txt",
        train=("cifar-100-binary/train.bin",),
        test=("cifar-100-binary/test.bin",),
        labels=2,  # the superclass, then the class
    ),
    # Coates, Lee, Ng 2011.
    "stl10": Stl10(
        (RemoteFile("stl10_binary.tar.gz", ("f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",)),),
        ("http://ai.stanford.edu/~acoates/stl10/",),
    ),
    # Netzer et al. 2011.
    "svhn": Svhn(
        (
            RemoteFile("train_32x32.mat", ("435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",)),
            RemoteFile("test_32x32.mat", ("cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",)),
        ),
        ("http://ufldl.stanford.edu/housenumbers/",),
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
        (RemoteFile("tiny-imagenet-200.zip", md5=("90528d7ca1a48142e341f4ef8d21d0de",)),),
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
