#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, tifffile 2026.3.3
# Expected: tifffile.imwrite() stores a stack of n grey slices as n pages, whatever n is.
# Seen: 3 or 4 slices of integers become one page in colour (4: with alpha), with no more than a DeprecationWarning,
#   which Python hides in libraries; 2 or 5 slices become pages.
# For a user of this project: Readers get one colour image instead of the first slice, and shorter stacks of a
#   folder look unlike the others. Pass photometric='minisblack'.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import tifffile
from PIL import Image

seen = {}
for slices in (2, 3, 4, 5):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tifffile.imwrite("x.tif", np.zeros((slices, 40, 50), np.uint8))
    image = Image.open("x.tif")
    seen[slices] = image.mode, image.n_frames, [w.category.__name__ for w in caught]
    print(slices, "slices ->", *seen[slices])
assert {n: s[:2] for n, s in seen.items()} == {2: ("L", 2), 3: ("RGB", 1), 4: ("RGBA", 1), 5: ("L", 5)}
assert set(seen[3][2]) <= {"DeprecationWarning"}
tifffile.imwrite("x.tif", np.zeros((3, 40, 50), np.uint8), photometric="minisblack")
assert Image.open("x.tif").n_frames == 3
EOF
