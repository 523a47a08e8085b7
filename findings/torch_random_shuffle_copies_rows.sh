#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: random.shuffle of Python puts the entries of a tensor into another order, as it does for lists and for NumPy
#   arrays of one dimension.
# Seen: It swaps two entries through views, so one of them is written over the other: of 1000 different entries about
#   half remain, the others are copies of them. Arrays of two dimensions lose their rows likewise. No message.
# For a user of this project: Use tensor[torch.randperm(len(tensor))] and numpy.random.Generator.permutation. A shuffled
#   tensor of image numbers otherwise has half of the images, twice, also on both sides of a split.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import random

import numpy as np
import torch

random.seed(0)
numbers = np.arange(1000)
entries = {"list": numbers.tolist(), "array": numbers.copy(), "tensor": torch.arange(1000)}
entries["rows of an array"] = np.stack([numbers, numbers], 1)
left = {}
for name, values in entries.items():
    random.shuffle(values)
    left[name] = len({int(value if name != "rows of an array" else value[0]) for value in values})
    print(name, "different entries after shuffling:", left[name], "of", len(values))
train, test = ({int(number) for number in part} for part in (entries["tensor"][:800], entries["tensor"][800:]))
print("numbers on both sides of a split of the tensor:", len(train & test), "of", len(test))
assert left["list"] == left["array"] == 1000 and len(train & test) > 20
assert 400 < left["tensor"] < 600 and 400 < left["rows of an array"] < 600
EOF
