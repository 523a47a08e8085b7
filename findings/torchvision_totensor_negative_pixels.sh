#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, torch 2.14.1, torchvision 0.29.1
# Expected: ToTensor scales a 16-bit grey image to [0, 1] as it scales an 8-bit one, or raises.
# Seen: It gives int16 without scaling, and the brighter half of the values is negative: 65,535 is -1. ToImage and
#   ToDtype(scale=True) of transforms.v2 are right.
# For a user of this project: In pipelines of other packages use transforms.v2 for microscope images; white areas
#   become the darkest otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 torch==2.14.1 torchvision==0.29.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import v2

image = Image.fromarray(np.array([[0, 256, 32767, 32768, 65535]], np.uint16))
old = transforms.ToTensor()(image)
new = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])(image)
print("ToTensor", old.dtype, old.flatten().tolist())
print("v2", new.dtype, new.flatten().tolist())
assert old.dtype == torch.int16 and old.flatten().tolist() == [0, 256, 32767, -32768, -1]
assert new.dtype == torch.float32 and float(new.max()) == 1 and float(new.min()) == 0
EOF
