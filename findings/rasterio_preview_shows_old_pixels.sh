#!/bin/sh
# Packages: numpy 2.4.6, rasterio 1.4.4
# Expected: read(out_shape=...) shrinks the pixels of the file.
# Seen: It takes the overview nearest in size, and write() in mode r+ does not renew overviews: after new pixels are
#   written the full image is new and every smaller reading is old, without a message.
# For a user of this project: Build overviews again after each change, or pass OVERVIEW_LEVEL="NONE" to open(). Views
#   and previews made by shrinking are otherwise those of a file that exists no more.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 rasterio==1.4.4

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning

warnings.simplefilter("ignore", NotGeoreferencedWarning)
shape = {"count": 1, "height": 512, "width": 512, "dtype": "uint8"}
with rasterio.open("x.tif", "w", driver="GTiff", **shape) as image:
    image.write(np.full((1, 512, 512), 10, np.uint8))
with rasterio.open("x.tif", "r+") as image:
    image.build_overviews([2, 4, 8], Resampling.average)
with rasterio.open("x.tif", "r+") as image:
    image.write(np.full((1, 512, 512), 200, np.uint8))
with rasterio.open("x.tif") as image:
    means = {size: float(image.read(1, out_shape=(size, size)).mean()) for size in (512, 256, 64)}
with rasterio.open("x.tif", OVERVIEW_LEVEL="NONE") as image:
    plain = float(image.read(1, out_shape=(64, 64)).mean())
print("mean by size of reading:", means, "64 without overviews:", plain)
assert means == {512: 200, 256: 10, 64: 10} and plain == 200
EOF
