#!/bin/sh
# Packages: torch 2.14.1, torchvision 0.29.1, kornia 0.9.0
# Expected: RandomResizedCrop of kornia and of torchvision make alike views of one crop.
# Seen: kornia samples pixels without a filter when a crop shrinks: stripes of one pixel stay stripes (aliasing)
#   where torchvision gives an even grey.
# For a user of this project: Views from kornia hold textures that the image does not, and teach an encoder to rely
#   on them. Compare methods on views of one library.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.14.1 torchvision==0.29.1 kornia==0.9.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import kornia.augmentation
import torch
from torchvision.transforms import v2

torch.manual_seed(0)
stripes = torch.zeros(1, 3, 224, 224)
stripes[..., ::2] = 1
whole = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
views = {
    "kornia": kornia.augmentation.RandomResizedCrop((28, 28), **whole)(stripes),
    "torchvision": v2.RandomResizedCrop(28, **whole)(stripes),
}
spread = {name: float(view.std()) for name, view in views.items()}
print("standard deviation after 224 -> 28 pixels:", spread)
assert spread["kornia"] > 0.2 and spread["torchvision"] < 0.02
EOF
