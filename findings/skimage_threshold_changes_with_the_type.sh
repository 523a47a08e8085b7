#!/bin/sh
# Packages: numpy 2.4.6, scikit-image 0.26.0
# Expected: A threshold of skimage.filters selects the same pixels in a 16-bit image and in the same numbers as
#   floats.
# Seen: Integers have a bin for each value, floats 256 bins from the lowest to the highest. With one hot pixel all
#   tissue lies in three bins: the triangle threshold selects 4,126 pixels in 16 bits and 1 as floats, that of Yen
#   5,076 and 49,062. No message.
# For a user of this project: Clip images at a high quantile before a threshold (both types then agree within 6 %),
#   and convert all or none. Areas of cells and masks of tissue otherwise depend on who converted the file.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-image==0.26.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from skimage.filters import threshold_triangle, threshold_yen

rng = np.random.default_rng(0)
image = rng.normal(300, 30, (256, 256))
image[64:128, 64:128] += 300  # a cell of 4,096 pixels
image = image.round().astype(np.uint16)
image[0, 0] = 60_000  # a hot pixel
seen = {}
for threshold in (threshold_triangle, threshold_yen):
    floats = image.astype(np.float32)
    clipped = floats.clip(None, np.quantile(floats, 0.999))
    seen[threshold.__name__] = [
        int((image > threshold(image)).sum()),
        int((floats > threshold(floats)).sum()),
        int((clipped > threshold(clipped)).sum()),
    ]
    print(f"{threshold.__name__}, pixels selected in 16 bits, as floats, clipped: {seen[threshold.__name__]}")
for name, (exact, floats, clipped) in seen.items():
    assert all(4000 < count < 6000 for count in (exact, clipped)), name
assert seen["threshold_triangle"][1] == 1 and seen["threshold_yen"][1] > 40_000
EOF
