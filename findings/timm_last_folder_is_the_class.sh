#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: timm and torchvision find the same classes in a folder: healthy and tumour in healthy/patient1/image.png.
# Seen: timm takes the name of the folder that holds the image, torchvision the first one. timm has four classes, which
#   are the patients, and a patient with images of both kinds is one class. No message.
# For a user of this project: Put all images of a class directly into its folder before they are read by timm (its
#   training script too). A network otherwise learns patients, slides, cameras or days.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet timm==1.0.31 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import pathlib

import timm.data
import torchvision
from PIL import Image

for name in ("healthy/patient1", "healthy/patient2", "tumour/patient2", "tumour/patient3", "tumour/patient4"):
    folder = pathlib.Path("images", name)
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "image.png")
by_timm = timm.data.create_dataset("", "images")
by_torchvision = torchvision.datasets.ImageFolder("images")
print("timm:", by_timm.reader.class_to_idx, [label for _, label in by_timm])
print("torchvision:", by_torchvision.class_to_idx, by_torchvision.targets)
assert by_torchvision.class_to_idx == {"healthy": 0, "tumour": 1} and by_torchvision.targets == [0, 0, 1, 1, 1]
assert list(by_timm.reader.class_to_idx) == ["patient1", "patient2", "patient3", "patient4"]
assert [label for _, label in by_timm] == [0, 1, 1, 2, 3]
EOF
