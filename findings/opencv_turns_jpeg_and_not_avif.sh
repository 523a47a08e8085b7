#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, opencv-python-headless 5.0.0.93
# Expected: cv2.imread() turns a photograph upright by its EXIF orientation in every format that it reads with EXIF.
# Seen: JPEG, PNG and WebP are turned, AVIF is not: one photograph saved in four formats comes out in two shapes.
# For a user of this project: A data set that was converted to AVIF with its EXIF is lying on its side in OpenCV.
#   Turn images before converting them; Pillow's exif_transpose turns all four.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 opencv-python-headless==5.0.0.93

cd "$folder"
"$venv/bin/python" - <<'EOF'
import cv2
import numpy as np
from PIL import Image, ImageOps

photo = Image.fromarray(np.zeros((32, 64, 3), np.uint8))
exif = Image.Exif()
exif[0x0112] = 6  # to be turned by a quarter
shapes = {}
for kind in ("jpg", "png", "webp", "avif"):
    photo.save(f"x.{kind}", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(f"x.{kind}"))
    shapes[kind] = cv2.imread(f"x.{kind}").shape[:2]
    print(kind, "OpenCV (height, width)", shapes[kind], "Pillow, transposed", upright.size[::-1])
    assert upright.size == (32, 64)
assert shapes == {"jpg": (64, 32), "png": (64, 32), "webp": (64, 32), "avif": (32, 64)}
EOF
