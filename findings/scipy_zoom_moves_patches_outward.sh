#!/bin/sh
# Packages: numpy 2.4.6, scipy 1.17.1
# Expected: scipy.ndimage.zoom enlarges a map of patches as every resize of images does: a value goes to the centre of
#   its patch.
# Seen: It sets the centres of the first and the last value on the first and the last pixel. From 7 x 7 to 224 x 224 a
#   value lies up to half a patch (15.5 pixels) from its patch; only the middle is right. With grid_mode=True and
#   mode="nearest" all values lie in their patches.
# For a user of this project: Maps of patch features or of attention, enlarged like this and laid over the image, point
#   beside the object, the more the nearer it is to the border.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from scipy import ndimage

pixels = np.arange(224)
centres = 32 * np.arange(7.0) + 15.5  # each patch holds the pixel coordinate of its centre
inside = slice(16, 208)  # pixels between the first and the last centre
zoomed = ndimage.zoom(centres, 32, order=1) - pixels
grid = ndimage.zoom(centres, 32, order=1, grid_mode=True, mode="nearest") - pixels
print("pixels from the right place, default:", zoomed[[0, 16, 48, 112]].round(2), "grid_mode:", grid[[16, 48, 112]])
assert zoomed[0] == 15.5 and zoomed[16] > 13 and abs(zoomed[112]) < 0.1 and np.abs(grid[inside]).max() < 1e-9

spot = np.zeros((7, 7))
spot[0, 0] = 1
row, column = np.unravel_index(ndimage.zoom(spot, 32, order=1).argmax(), (224, 224))
print("largest value of the first patch (its centre is 15.5, 15.5):", row, column)
assert row == column == 0
EOF
