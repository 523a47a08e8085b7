#!/bin/sh
# Packages: torch 2.14.1
# Expected: torch.cdist gives a row the same distances however many other rows are given with it.
# Seen: From 26 rows on it uses a matrix product. In float32 the distance of a feature to itself, 0 for 25 rows, is
#   then of the size of the distances between neighbours, if the features lie far from the origin.
# For a user of this project: Features after a ReLU do lie far from the origin. Centre them, or set
#   compute_mode='donot_use_mm_for_euclid_dist', before thresholds for copies.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.14.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch

torch.manual_seed(0)
features = 10 + 0.01 * torch.randn(26, 64)
for rows in (25, 26):
    distances = torch.cdist(features[:rows], features[:rows])
    exact = torch.cdist(features[:rows], features[:rows], compute_mode="donot_use_mm_for_euclid_dist")
    own = float(distances.diagonal().max())
    print(rows, "rows: largest distance of a row to itself", own, "exact", float(exact.diagonal().max()))
    assert (own > 0.01) == (rows > 25) and not exact.diagonal().any()
print("distance of neighbours:", float((exact + torch.eye(26)).min()))
EOF
