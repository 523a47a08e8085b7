#!/bin/sh
# Packages: monai 1.6.1, numpy 2.4.6, pillow 13.0.0, torch 2.12.1, torchvision 0.27.1
# Expected: LoadImage of MONAI gives a PNG as (height, width), like Pillow, OpenCV, imageio and torchvision.
# Seen: It gives (width, height): the image is transposed. Square images show no sign of it.
# For a user of this project: Features, saliency and positions of patches from MONAI lie mirrored at the diagonal.
#   Pass reader=PILReader(reverse_indexing=False), and do not mix its features with those of another reader.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet monai==1.6.1 numpy==2.4.6 pillow==13.0.0 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from monai.data import PILReader
from monai.transforms import LoadImage
from PIL import Image
from torchvision.io import decode_image

pixels = np.random.default_rng(0).integers(0, 256, (4, 6), dtype=np.uint8)
Image.fromarray(pixels).save("x.png")
default = np.asarray(LoadImage(image_only=True)("x.png"))
upright = np.asarray(LoadImage(image_only=True, reader=PILReader(reverse_indexing=False))("x.png"))
print("MONAI:", default.shape, "without reverse_indexing:", upright.shape, "torchvision:", decode_image("x.png").shape)
assert np.array_equal(default, pixels.T) and np.array_equal(upright, pixels)
assert np.array_equal(decode_image("x.png")[0], pixels)
EOF
