#!/bin/sh
# Packages: torch 2.12.1, torchvision 0.27.1
# Expected: RandomResizedCrop cuts another area each time, in images of any shape.
# Seen: Its areas are almost square (3:4 to 4:3), and after ten areas that do not fit it takes the centre. With
#   scale=(0.2, 1), as in SimSiam, no area fits into an image eight times as wide as high: all crops are the same sixth
#   of the image, and the rest is never seen. At 5:1 four of five crops are that centre. No warning.
# For a user of this project: Cut panoramas, strips and spectrograms into squares, or resize them, before they are given
#   to torchvision: the two views of such an image otherwise differ in their colours alone.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
from collections import Counter

import torch
from torchvision.transforms import v2

torch.manual_seed(0)
share = {}
for ratio in (1, 4, 5, 6, 8):
    columns = torch.arange(64.0 * ratio).expand(1, 64, -1)  # each pixel holds the number of its column
    crop = v2.RandomResizedCrop(64, scale=(0.2, 1), interpolation=v2.InterpolationMode.NEAREST)
    views = [crop(columns)[0, 0] for _ in range(1000)]
    seen = torch.stack(views)
    most = Counter((int(view[0]), int(view[-1])) for view in views).most_common(1)[0][1]
    share[ratio] = most / 1000
    print(f"{ratio}:1, share of crops with the commonest columns {share[ratio]:.3f},", end=" ")
    print("columns seen", int(seen.min()), "to", int(seen.max()), "of", 64 * ratio)
assert share[1] < 0.1 and 0.7 < share[5] < 0.9 and share[8] == 1
assert int(seen.max() - seen.min()) < 90  # of 512
EOF
