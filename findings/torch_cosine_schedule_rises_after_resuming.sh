#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: A run of 10 epochs goes on for 10 more with CosineAnnealingLR(T_max=20) and the states of optimizer and
#   schedule loaded: the learning rate falls to 0 at epoch 20.
# Seen: load_state_dict sets T_max to the old 10, and past its end the cosine rises: from 0 at epoch 10 back to the
#   full rate at epoch 20, where the training ends. Nothing warns.
# For a user of this project: Set schedule.T_max after loading; a run that is made longer otherwise ends at its
#   highest rate.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

warnings.simplefilter("error")


def run(total, epochs, states=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    schedule = CosineAnnealingLR(optimizer, T_max=total)
    if states:
        optimizer.load_state_dict(states[0])
        schedule.load_state_dict(states[1])
    rates = []
    for _ in range(epochs):
        optimizer.step()
        schedule.step()
        rates.append(round(schedule.get_last_lr()[0], 3))
    return rates, schedule.T_max, (optimizer.state_dict(), schedule.state_dict())


first, _, states = run(10, 10)
second, total, _ = run(20, 10, states)
print("epochs 1 to 10:", first)
print("epochs 11 to 20, T_max", total, ":", second)
assert first[-1] == 0 and total == 10 and second == sorted(second) and second[-1] == 1
EOF
