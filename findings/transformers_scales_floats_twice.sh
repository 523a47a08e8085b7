#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, torch 2.12.1, torchvision 0.27.1, transformers 5.24.0
# Expected: An image processor gives about the same for one image in bytes and in floats of [0, 1], or warns.
# Seen: It divides floats by 255 too: every image becomes nearly the same black one (values from -1 to -0.992 in place
#   of -1 to 1), without a warning. Arrays and tensors alike.
# For a user of this project: Give bytes to processors of transformers, or pass do_rescale=False. Features of such
#   images lie close together, and a collapse looks like a fault of the encoder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 torch==2.12.1 torchvision==0.27.1 transformers==5.24.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import torch
from transformers import ViTImageProcessor

warnings.simplefilter("error")
process = ViTImageProcessor()
image = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
floats = (image / 255).astype(np.float32)
inputs = {"bytes": image, "floats": floats, "tensor": torch.tensor(floats).permute(2, 0, 1)}
seen = {}
for kind, values in inputs.items():
    pixels = process(values, return_tensors="pt")["pixel_values"]
    seen[kind] = float(pixels.min()), float(pixels.max())
    print(kind, "from", seen[kind][0], "to", seen[kind][1])
assert np.allclose(seen["bytes"], (-1, 1), atol=1e-3)
assert np.allclose(seen["floats"], (-1, 2 / 255 - 1), atol=1e-3) and np.allclose(seen["tensor"], seen["floats"])
pixels = process(floats, do_rescale=False, return_tensors="pt")["pixel_values"]
assert np.allclose(pixels, process(image, return_tensors="pt")["pixel_values"], atol=1e-5)
EOF
