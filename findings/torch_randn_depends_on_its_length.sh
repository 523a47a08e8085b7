#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: With one seed the first numbers of torch.randn do not depend on how many are drawn, as with torch.rand and
#   numpy.
# Seen: On a CPU all numbers of randn(15) differ from the first 15 of randn(16): another algorithm draws 16 or more.
#   Where the length is no multiple of 16 the last 16 are drawn again: a 17th image changes the noise of the three
#   before it.
# For a user of this project: Draw noise image by image, or in rows of a fixed size, where results must not depend on
#   the batch; a last, smaller batch otherwise has other noise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import torch


def drawn(function, *shape):
    torch.manual_seed(0)
    return function(*shape)


for function in (torch.rand, torch.randn):
    short, long = drawn(function, 15), drawn(function, 16)
    equal = int((short == long[:15]).sum())
    few, more = drawn(function, 16, 5), drawn(function, 17, 5)
    changed = (few != more[:16]).any(1).nonzero().flatten().tolist()
    print(function.__name__, "of 15 numbers equal in 16:", equal, "rows of 16 changed by a 17th:", changed)
    assert (equal, changed) == ((15, []) if function is torch.rand else (0, [13, 14, 15]))
first = [np.random.default_rng(0).normal(size=size)[:15] for size in (15, 16)]
assert np.array_equal(*first)
EOF
