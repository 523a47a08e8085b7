#!/bin/sh
# Packages: numpy 2.4.6, opencv-python-headless 5.0.0.93, pillow 13.0.0
# Expected: A mask made smaller with INTER_NEAREST lies on the image made smaller with INTER_AREA or INTER_LINEAR.
# Seen: OpenCV takes the upper left pixel of each block. At a factor of 16 the mask lies 7.5 pixels, almost half a
#   patch, right of and below the image. INTER_NEAREST_EXACT and Pillow take the middle.
# For a user of this project: Make masks smaller with INTER_NEAREST_EXACT or Pillow before they choose patches of 14 or
#   16 pixels: small objects otherwise get the features of the patches beside them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 opencv-python-headless==5.0.0.93 pillow==13.0.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import cv2
import numpy as np
from PIL import Image

coordinate = np.tile(np.arange(224, dtype=np.float32), (224, 1))  # each pixel holds its column
methods = {name: cv2.resize(coordinate, (14, 14), interpolation=getattr(cv2, name))[0]
           for name in ("INTER_AREA", "INTER_LINEAR", "INTER_NEAREST", "INTER_NEAREST_EXACT")}
methods["Pillow"] = np.asarray(Image.fromarray(coordinate).resize((14, 14), Image.Resampling.NEAREST))[0]
for name, columns in methods.items():
    shift = columns - methods["INTER_AREA"]
    print(name, "first columns:", columns[:3], "from the middle of the patch:", shift[0])
    expected = {"INTER_NEAREST": -7.5, "INTER_NEAREST_EXACT": 0.5, "Pillow": 0.5}.get(name, 0)
    assert np.all(shift == expected)

rows, columns = np.indices((224, 224))
masks = [((rows - row) ** 2 + (columns - row) ** 2 < 64).astype(np.uint8) for row in range(20, 200)]
found = {}
for name in ("INTER_NEAREST", "INTER_NEAREST_EXACT"):
    small = [cv2.resize(mask, (14, 14), interpolation=getattr(cv2, name)) for mask in masks]
    own = [patches[row // 16, row // 16] for row, patches in zip(range(20, 200), small)]
    found[name] = sum(map(int, own)) / sum(int(patches.sum()) for patches in small)
print("share of the chosen patches that hold the centre of an object of 16 pixels:", found)
assert found["INTER_NEAREST"] < 0.75 and found["INTER_NEAREST_EXACT"] > 0.9
EOF
