#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, scikit-image 0.26.0
# Expected: imread(file, as_gray=True) gives grey images of one type and range for all files of a folder.
# Seen: Colour files come as floats from 0 to 1 and grey files as bytes from 0 to 255. One picture saved in both ways
#   is 255 times as bright as itself; np.stack of both makes one array of them without a message.
# For a user of this project: Pass each image through skimage.util.img_as_float after reading. Where one scanner or
#   class has grey files, a network otherwise tells them by the range, and the others are nearly black.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 scikit-image==0.26.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from PIL import Image
from skimage.io import imread
from skimage.util import img_as_float

picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8))
picture.save("grey.png")
picture.convert("RGB").save("colour.png")
images = {name: imread(name, as_gray=True) for name in ("grey.png", "colour.png")}
for name, image in images.items():
    print(name, image.dtype, "mean:", float(image.mean()), "highest:", float(image.max()))
grey, colour = images.values()
both = np.stack([grey, colour])
print("stacked:", both.dtype, "means:", both.mean((1, 2)).tolist())
assert np.allclose(both[0], 255 * both[1]) and grey.max() == 255
assert np.allclose(img_as_float(grey), img_as_float(colour))
EOF
