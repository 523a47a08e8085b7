#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, tifffile 2026.3.3
# Expected: Signed pixels of a TIFF keep their order in Pillow, whether they have 8 bits or 16.
# Seen: Signed 16-bit values keep their sign (mode I). Signed 8-bit ones are read as unsigned (mode L): -1 becomes
#   the brightest value, 255, and 0 the darkest.
# For a user of this project: Difference images and maps of heights in signed bytes come out with torn contrast.
#   Convert them before they are ranked or trained on.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import tifffile
from PIL import Image

seen = {}
for kind in (np.int8, np.int16):
    values = np.array([[-100, -1, 0, 1, 100]], kind)
    tifffile.imwrite("x.tif", values)
    image = Image.open("x.tif")
    seen[kind.__name__] = image.mode, np.asarray(image)[0].tolist()
    print(values[0].tolist(), kind.__name__, "->", *seen[kind.__name__])
assert seen["int8"] == ("L", [156, 255, 0, 1, 100]) and seen["int16"] == ("I", [-100, -1, 0, 1, 100])
EOF
