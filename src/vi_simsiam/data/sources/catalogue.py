"""The published data sets: their files, official addresses and checksums.

SHA-256: of CIFAR, STL-10, SVHN and Imagenette as TensorFlow Datasets lists them (url_checksums), of Imagewoof as
FastAI.jl does. Of Tiny ImageNet, only an MD5 is published that several libraries agree on.
"""

from vi_simsiam.data.fetch import RemoteFile
from vi_simsiam.data.sources.binary import Cifar, Stl10, Svhn
from vi_simsiam.data.sources.published import PublishedArchive, TinyImageNet

_TORONTO = ("https://www.cs.toronto.edu/~kriz/",)
_FASTAI = ("https://s3.amazonaws.com/fast-ai-imageclas/",)

# 50,000 + 10,000 photographs, 32 x 32, 10 or 100 classes (Krizhevsky 2009).
CIFAR10 = Cifar(
    RemoteFile("cifar-10-binary.tar.gz", ("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",)),
    _TORONTO,
    names="cifar-10-batches-bin/batches.meta.txt",
    train=tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
    test=("cifar-10-batches-bin/test_batch.bin",),
    labels=1,
)
CIFAR100 = Cifar(
    RemoteFile("cifar-100-binary.tar.gz", ("58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",)),
    _TORONTO,
    names="cifar-100-binary/fine_label_names.txt",
    train=("cifar-100-binary/train.bin",),
    test=("cifar-100-binary/test.bin",),
    labels=2,  # the superclass, then the class
)

# Coates, Lee, Ng 2011.
STL10 = Stl10(
    RemoteFile("stl10_binary.tar.gz", ("f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",)),
    ("http://ai.stanford.edu/~acoates/stl10/",),
)

# Netzer et al. 2011.
SVHN = Svhn(
    RemoteFile("train_32x32.mat", ("435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",)),
    RemoteFile("test_32x32.mat", ("cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",)),
    ("http://ufldl.stanford.edu/housenumbers/",),
)

# Ten easy and ten hard classes of ImageNet (Howard, fast.ai), shorter side 160 pixels.
IMAGENETTE = PublishedArchive(
    RemoteFile("imagenette2-160.tgz", ("88daccb09b6fce93f45e6c09ddeb269cce705549e6bff322092a2a5a11489863",)),
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
)
IMAGEWOOF = PublishedArchive(
    RemoteFile("imagewoof2-160.tgz", ("663c22f69c2802d85e2a67103c017e047096702ffddf9149a14011b7002539bf",)),
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
)

# Stanford's course CS231n.
TINY_IMAGENET = TinyImageNet(
    RemoteFile("tiny-imagenet-200.zip", md5=("90528d7ca1a48142e341f4ef8d21d0de",)),
    ("http://cs231n.stanford.edu/",),
)
