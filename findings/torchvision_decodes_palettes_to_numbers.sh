#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, torch 2.12.1, torchvision 0.27.1
# Expected: decode_image of a colour PNG with a palette gives three channels, as for other colour PNGs.
# Seen: It gives one channel with the numbers of the palette's entries, which looks like a grey image. The numbers
#   have no order: neighbouring colours can be far apart. mode="RGB" gives the colours.
# For a user of this project: Pass mode="RGB" to decode_image. A PNG made small by quantisation is otherwise noise to
#   a network, and a network of grey images takes it without an error.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from PIL import Image
from torchvision.io import decode_image

ramp = np.zeros((64, 64, 3), np.uint8)
ramp[..., 0] = np.arange(64) * 4
order = np.random.default_rng(0).permutation(64)
numbers = Image.fromarray(order[np.arange(64)][None].repeat(64, 0).astype(np.uint8))
colours = np.zeros((64, 3), np.uint8)
colours[order] = ramp[0]
numbers.putpalette(colours.tobytes())
numbers.save("palette.png")
Image.fromarray(ramp).save("colour.png")
assert np.array_equal(np.asarray(Image.open("palette.png").convert("RGB")), ramp)
plain, colour, asked = decode_image("colour.png"), decode_image("palette.png"), decode_image("palette.png", mode="RGB")
print("colour PNG:", tuple(plain.shape), "first reds", plain[0, 0, :6].tolist())
print("same image with a palette:", tuple(colour.shape), "first values", colour[0, 0, :6].tolist())
assert plain.shape == asked.shape == (3, 64, 64) and np.array_equal(plain, asked)
assert colour.shape == (1, 64, 64) and np.array_equal(colour[0, 0], order)
EOF
