#!/bin/sh
# Packages: datasets 5.2.0, pillow 13.0.0
# Expected: load_dataset("imagefolder") on a folder of classes gives all images with the names of the folders as labels.
# Seen: Where a name holds the word train, test, valid or dev, that folder is a split, and folders without such a word
#   are left out without a message: of bus, car and train (classes of VOC and CIFAR-100) the trains remain, without a
#   label; of normal, test_positive and test_negative the two last, as test set.
# For a user of this project: Count the images after loading, or put the classes below a folder train/.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet datasets==5.2.0 pillow==13.0.0

cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
"$venv/bin/python" - <<'EOF'
import pathlib

from datasets import load_dataset
from PIL import Image

expected = {
    ("bus", "car", "truck"): {"train": (15, True)},
    ("bus", "car", "train"): {"train": (5, False)},
    ("normal", "test_negative", "test_positive"): {"test": (10, True)},
}
for number, classes in enumerate(expected):
    for name in classes:
        folder = pathlib.Path(f"images{number}") / name
        folder.mkdir(parents=True)
        for image in range(5):
            Image.new("L", (4, 4)).save(folder / f"{image}.png")
    splits = load_dataset("imagefolder", data_dir=f"images{number}")
    seen = {split: (len(rows), "label" in rows.features) for split, rows in splits.items()}
    print("folders", classes, "with 5 images each: (images, with label) by split", seen)
    assert seen == expected[classes]
EOF
