#!/bin/sh
# Packages: numpy 2.4.6, pycocotools 2.0.11, opencv-python-headless 5.0.0.93
# Expected: A mask that is written as the polygon of its contour and read again by pycocotools is the same mask.
# Seen: findContours gives the centres of the outermost pixels, pycocotools takes them for corners: a row and a column
#   are lost. A cell of 10 x 10 pixels comes back with 9 x 9, and the IoU of a perfect answer is 0.81.
# For a user of this project: Store masks of small objects as RLE (pycocotools.mask.encode). Uncertainty at borders and
#   sizes of cells measured from such polygons hold the lost row.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pycocotools==2.0.11 opencv-python-headless==5.0.0.93

cd "$folder"
"$venv/bin/python" - <<'EOF'
import cv2
import numpy as np
from pycocotools import mask as coco

rows, columns = np.mgrid[:128, :128]
shapes = {
    "square of 10 pixels": (abs(rows - 60.5) < 5) & (abs(columns - 60.5) < 5),
    "disc of 12 pixels": (rows - 60) ** 2 + (columns - 60) ** 2 <= 36,
    "disc of 100 pixels": (rows - 60) ** 2 + (columns - 60) ** 2 <= 2500,
}
overlap = {}
for name, shape in shapes.items():
    mask = shape.astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    polygons = [contour.astype(float).ravel().tolist() for contour in contours]
    read = coco.decode(coco.merge(coco.frPyObjects(polygons, 128, 128)))
    overlap[name] = (read & mask).sum() / (read | mask).sum()
    print(f"{name}: {mask.sum()} pixels, after the polygon {read.sum()}, IoU {overlap[name]:.3f}")
    assert (coco.decode(coco.encode(np.asfortranarray(mask))) == mask).all()
assert overlap["square of 10 pixels"] == 0.81 and overlap["disc of 12 pixels"] < 0.8
assert 0.97 < overlap["disc of 100 pixels"] < 0.99
EOF
