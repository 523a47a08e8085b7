#!/bin/sh
# Packages: torch 2.14.1
# Expected: A moving average of weights in bfloat16 follows the student, only less exactly.
# Seen: With a momentum of 0.999 it does not move at all: each step is less than half a unit in the last place.
#   After 5,000 steps towards 0 it is still 1 (in float32 0.007).
# For a user of this project: Keep the teacher of DINO and every moving average in float32, whatever the precision
#   of the forward pass.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.14.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch

seen = {}
for kind in (torch.float32, torch.bfloat16):
    teacher, student = torch.ones(1, dtype=kind), torch.zeros(1, dtype=kind)
    for _ in range(5000):
        teacher.mul_(0.999).add_(student, alpha=0.001)
    seen[kind] = float(teacher)
    print(kind, "after 5,000 steps with momentum 0.999:", seen[kind])
assert seen[torch.bfloat16] == 1 and abs(seen[torch.float32] - 0.999**5000) < 1e-4
EOF
