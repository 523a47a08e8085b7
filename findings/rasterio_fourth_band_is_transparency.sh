#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, rasterio 1.4.4
# Expected: A GeoTIFF written with four bands of bytes (red, green, blue, near infrared) has four bands of data.
# Seen: The fourth is marked as transparency. read(masked=True) and dataset_mask() hide all pixels without infrared
#   (water, shadow) in all bands; Pillow opens the file as RGBA. Five bands, and four of 16 bits, are as expected.
# For a user of this project: Pass photometric="MINISBLACK" (or set colorinterp) when four bands of bytes are written.
#   Means over masked bands and exported images otherwise leave out the dark infrared.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 rasterio==1.4.4

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

warnings.simplefilter("ignore", NotGeoreferencedWarning)
hidden = {}
for name, count, kind, options in (
    ("four bytes", 4, "uint8", {}),
    ("four bytes, MINISBLACK", 4, "uint8", {"photometric": "MINISBLACK"}),
    ("five bytes", 5, "uint8", {}),
    ("four of 16 bits", 4, "uint16", {}),
):
    bands = np.full((count, 4, 4), 100, kind)
    bands[3, :2] = 0  # water
    with rasterio.open("x.tif", "w", driver="GTiff", count=count, height=4, width=4, dtype=kind, **options) as image:
        image.write(bands)
    with rasterio.open("x.tif") as image:
        hidden[name] = int((image.dataset_mask() == 0).sum()), int(image.read(masked=True)[0].mask.sum())
        print(name, image.colorinterp[3].name, "pixels hidden of 16 (mask, red band):", hidden[name])
    if name == "four bytes":
        with Image.open("x.tif") as opened:
            print("Pillow:", opened.mode)
            assert opened.mode == "RGBA"
assert hidden.pop("four bytes") == (8, 8) and set(hidden.values()) == {(0, 0)}
EOF
