#!/bin/sh
# Packages: numpy 2.4.6, scikit-image 0.26.0
# Expected: skimage.filters.gaussian blurs each channel of an RGB image alone, as skimage's resize and Pillow's blur
#   do.
# Seen: The last axis is blurred as a third dimension: of a pure red image 0.70 is red, 0.30 green and 0.06 blue. A
#   wide blur makes colour images nearly grey.
# For a user of this project: Pass channel_axis=-1. A blur in a test of robustness otherwise removes the colour as
#   well.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-image==0.26.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from skimage.filters import gaussian
from skimage.transform import resize

red = np.zeros((9, 9, 3))
red[..., 0] = 1
seen = {
    "default": gaussian(red, sigma=1)[4, 4],
    "channel_axis": gaussian(red, sigma=1, channel_axis=-1)[4, 4],
    "sigma 5": gaussian(red, sigma=5)[4, 4],
    "resize": resize(red, (4, 4))[2, 2],
}
print({name: colour.round(2).tolist() for name, colour in seen.items()})
assert np.allclose(seen["default"], (0.6995, 0.3005, 0.0586), atol=1e-3)
assert np.allclose((seen["channel_axis"], seen["resize"]), (1, 0, 0)) and np.ptp(seen["sigma 5"]) < 0.2
EOF
