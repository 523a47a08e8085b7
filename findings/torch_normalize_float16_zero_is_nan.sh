#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: F.normalize of a row of zeros gives zeros: its eps is there for that.
# Seen: In float16 the eps of 1e-12 is 0, and the row becomes NaN. In float32 and bfloat16 it is 0. One such row makes
#   a mean, a covariance or a loss of the batch NaN.
# For a user of this project: Features behind a ReLU can be all 0. Convert cached float16 features before they are
#   normalised, or pass eps=1e-4.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from torch.nn import functional as F

seen = {}
for kind in (torch.float32, torch.bfloat16, torch.float16):
    features = torch.ones(4, 8, dtype=kind)
    features[2] = 0
    rows = F.normalize(features)
    seen[kind] = bool(rows[2].isnan().all()), bool(rows.mean().isnan())
    print(kind, "row of zeros:", rows[2, :2].tolist(), "mean of all rows:", float(rows.mean()))
print("float16 with eps=1e-4:", F.normalize(features, eps=1e-4)[2, :2].tolist())
assert seen == {torch.float32: (False, False), torch.bfloat16: (False, False), torch.float16: (True, True)}
assert not F.normalize(features, eps=1e-4)[2].any()
EOF
