#!/bin/sh
# Packages: datasets 5.2.0, numpy 2.4.6, pillow 13.0.0
# Expected: map() keeps an image as the function returns it.
# Seen: An image from a file that is edited in place (thumbnail, paste, drawing) has a file name still, so the path is
#   stored and the original read again: sizes and pixels are the old ones, without a message. A new image (resize,
#   crop) is kept.
# For a user of this project: Return a copy from map() (`image.copy()` forgets the file), and look at one image after
#   it, above all where burnt-in names or time stamps are painted over before images are shared.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet datasets==5.2.0 numpy==2.4.6 pillow==13.0.0

cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
"$venv/bin/python" - <<'EOF'
import pathlib

import numpy as np
from datasets import load_dataset
from PIL import Image

pathlib.Path("images").mkdir()
for number in range(3):
    Image.fromarray(np.full((32, 32, 3), 200, np.uint8)).save(f"images/{number}.png")
images = load_dataset("imagefolder", data_dir="images", split="train")


def thumbnail(row):
    row["image"].thumbnail((8, 8))
    return row


def paint_over(row):
    row["image"].paste(0, (0, 0, 32, 32))
    return row


def resize(row):
    return {"image": row["image"].resize((8, 8))}


def paint_a_copy(row):
    image = row["image"].copy()
    image.paste(0, (0, 0, 32, 32))
    return {"image": image}


seen = {}
for edit in (thumbnail, paint_over, resize, paint_a_copy):
    image = images.map(edit)[0]["image"]
    seen[edit.__name__] = image.size, int(np.asarray(image).max())
    print(edit.__name__, "(size, brightest pixel):", seen[edit.__name__])
kept = ((32, 32), 200)
assert seen == {"thumbnail": kept, "paint_over": kept, "resize": ((8, 8), 200), "paint_a_copy": ((32, 32), 0)}
EOF
