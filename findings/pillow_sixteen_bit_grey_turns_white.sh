#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, opencv-python-headless 5.0.0.93
# Expected: One 16-bit picture gives the same 8-bit picture whether its PNG is grey or colour.
# Seen: Colour is divided by 256 while it is read. Grey is read as I;16, and convert('L') or convert('RGB') cuts off
#   all above 255: 255 of 256 brightness steps become white, without a warning.
# For a user of this project: Scale 16-bit grey images yourself before convert(); vi-simsiam does so. White
#   thumbnails elsewhere do not mean overexposed photographs.
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
from PIL import Image

grey = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
cv2.imwrite("grey.png", grey)
cv2.imwrite("colour.png", np.repeat(grey[:, :, None], 3, axis=2))
images = {name: Image.open(name) for name in ("grey.png", "colour.png")}
pixels = {name: np.asarray(image.convert("L")) for name, image in images.items()}
for name, image in images.items():
    print(name, image.mode, "white:", np.mean(pixels[name] == 255), "values:", len(np.unique(pixels[name])))
assert images["grey.png"].mode == "I;16" and np.array_equal(pixels["grey.png"], np.minimum(grey, 255))
assert np.array_equal(pixels["colour.png"], grey >> 8)
EOF
