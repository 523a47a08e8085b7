#!/bin/sh
# Packages: numpy 2.4.6, pillow 12.3.0, wandb 0.31.0
# Expected: wandb.Image shows an array of floats between 0 and 1 as a grey image, as matplotlib, skimage and its
#   earlier versions do.
# Seen: Floats are cut to whole bytes: all below 1 is black. Differences below 0 wrap to white, and a 16-bit image of
#   4000 has the value 160. No message; the file is written, and the array is not kept.
# For a user of this project: Multiply by 255, clip and convert to bytes before wandb.Image. Maps of certainty and
#   views are otherwise black in the record of a run, and cannot be recovered.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==12.3.0 wandb==0.31.0

cd "$folder"
WANDB_MODE=offline "$venv/bin/python" - <<'EOF'
import numpy as np
import wandb


def shown(array):
    """Return the first and the last pixel of the image that wandb makes."""
    pixels = np.array(wandb.Image(array).image)
    return int(pixels[0, 0]), int(pixels[-1, -1])


ramp = np.linspace(0, 1, 256).reshape(16, 16)
seen = {
    "0 to 0.99": shown(ramp * 0.99),
    "-1 to 1": shown(2 * ramp - 1),
    "0 to 4000, 16 bits": shown((4000 * ramp).astype(np.uint16)),
    "0 to 1, times 255": shown((255 * ramp).round().astype(np.uint8)),
}
for name, pixels in seen.items():
    print(f"{name}: first and last pixel {pixels}")
assert list(seen.values()) == [(0, 0), (255, 1), (0, 160), (0, 255)]
EOF
