#!/bin/sh
# Packages: monai 1.6.1, numpy 2.4.6, torch 2.12.1
# Expected: A mask predicted on an image without a lesion makes the mean Dice worse.
# Seen: DiceMetric of MONAI leaves out images whose truth is empty. A model that finds a lesion in all of ten images,
#   nine of them healthy, has a Dice of 1.
# For a user of this project: Count predictions on images without a finding apart, or pass ignore_empty=False.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet monai==1.6.1 numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from monai.metrics import DiceMetric

truth, prediction = torch.zeros(10, 1, 8, 8), torch.zeros(10, 1, 8, 8)
prediction[:, :, 2:5, 2:5] = 1
truth[0] = prediction[0]
seen = {}
for ignore in (True, False):
    metric = DiceMetric(**({} if ignore else {"ignore_empty": False}))
    metric(prediction, truth)
    seen[ignore] = float(metric.aggregate())
    print("default:" if ignore else "ignore_empty=False:", seen[ignore])
assert seen == {True: 1, False: torch.tensor(0.1).item()}
EOF
