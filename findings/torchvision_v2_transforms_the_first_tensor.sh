#!/bin/sh
# Packages: torch 2.12.1, torchvision 0.27.1
# Expected: A transform of torchvision.transforms.v2 that gets two images, or a dict of them, transforms both.
# Seen: Of plain tensors it transforms the first and passes the others on as they are. As tv_tensors.Image all are
#   transformed.
# For a user of this project: Wrap tensors in tv_tensors.Image before two views, image and mask, or several stains go
#   through one transform. One image of each pair is otherwise never augmented, and the loss still falls.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

torch.manual_seed(0)
images = torch.rand(2, 3, 8, 8)
flip = v2.RandomHorizontalFlip(p=1)
for kind, wrap in (("tensors", torch.Tensor), ("tv_tensors.Image", tv_tensors.Image)):
    pair = [wrap(image) for image in images]
    for name, out in (("two arguments", flip(*pair)), ("dict", flip(dict(zip("ab", pair))).values())):
        flipped = [torch.equal(new, image.flip(-1)) for new, image in zip(out, images)]
        print(kind, name, "flipped:", flipped)
        assert flipped == [True, kind != "tensors"]
EOF
