#!/bin/sh
# Packages: numpy 2.4.6, scipy 1.17.1
# Expected: A blur with scipy.ndimage.gaussian_filter leaves the mean of an image as it is, for bytes up to rounding.
# Seen: Whole numbers are cut, not rounded, after each axis. Any blur darkens an image by one level of 255; a blur
#   repeated ten times darkens it by ten.
# For a user of this project: Convert images to float32 before they are blurred. A series of blurs for a graded
#   corruption otherwise changes the brightness too, and a blur of 16-bit counts loses one count.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from scipy.ndimage import gaussian_filter

image = np.random.default_rng(0).integers(20, 236, (256, 256), dtype=np.uint8)
for sigma in (0.5, 1, 3):
    bytes_, floats = gaussian_filter(image, sigma), gaussian_filter(image.astype(np.float32), sigma)
    change, reference = bytes_.mean() - image.mean(), floats.mean() - image.mean()
    print("sigma", sigma, "change of the mean, bytes:", change, "float32:", reference)
    assert -1.1 < change < -0.9 and abs(reference) < 0.1
repeated = image
for _ in range(10):
    repeated = gaussian_filter(repeated, 1)
print("ten times:", repeated.mean() - image.mean())
assert repeated.mean() - image.mean() < -9
counts = image.astype(np.uint16)
print("16-bit counts:", gaussian_filter(counts, 1).mean() - counts.mean())
assert -1.1 < gaussian_filter(counts, 1).mean() - counts.mean() < -0.9
EOF
