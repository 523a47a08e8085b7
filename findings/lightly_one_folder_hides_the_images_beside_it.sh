#!/bin/sh
# Packages: lightly 1.6.0, pillow 13.0.0, torch 2.12.1, torchvision 0.27.1
# Expected: LightlyDataset(folder) has the images in a folder and in the folders below it.
# Seen: Where the folder has a folder in it, images beside that folder are left out: 50 images and rejected/ with one
#   image are a data set of one image. Without that folder it has 50. No message.
# For a user of this project: Count the images before a training with lightly, and put all of them into folders or none.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet lightly==1.6.0 pillow==13.0.0 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import pathlib

from lightly.data import LightlyDataset
from PIL import Image

folder = pathlib.Path("images")
folder.mkdir()
for number in range(50):
    Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
before = len(LightlyDataset("images"))
(folder / "rejected").mkdir()
Image.new("RGB", (8, 8)).save(folder / "rejected/blurred.png")
after = LightlyDataset("images")
print("50 images:", before, "and a folder with one more:", len(after), after.get_filenames())
assert before == 50 and after.get_filenames() == ["rejected/blurred.png"]
EOF
