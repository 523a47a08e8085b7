#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, torch 2.14.1
# Expected: antialias=True of torch.nn.functional.interpolate matters where an image shrinks, and changes nothing
#   where it grows.
# Seen: Bicubic enlarging differs by up to a tenth of the range of the values: the kernel's parameter is -0.5 with
#   antialias and -0.75 without. Bilinear enlarging is the same. Pillow agrees with antialias=True.
# For a user of this project: Small images are enlarged for published encoders. Features of images enlarged in two
#   ways are not of one data set.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 torch==2.14.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

pixels = np.random.default_rng(0).integers(64, 192, (32, 32)).astype(np.float32)
image = torch.from_numpy(pixels)[None, None]
pillow = np.asarray(Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC))
sizes = {}
for mode in ("bilinear", "bicubic"):
    with_it, without = (interpolate(image, 96, mode=mode, antialias=antialias)[0, 0] for antialias in (True, False))
    sizes[mode] = float((with_it - without).abs().max())
    print(mode, "largest difference on values from 64 to 191:", round(sizes[mode], 3))
near, far = np.abs(with_it.numpy() - pillow).max(), np.abs(without.numpy() - pillow).max()
print("bicubic against Pillow: with antialias", near, "without", far)
assert sizes["bilinear"] < 0.001 and sizes["bicubic"] > 5 and near < 0.001 and far > 5
EOF
