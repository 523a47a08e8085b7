#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: A run of 10 epochs goes on for 10 more with CosineAnnealingLR(T_max=20) and the states of optimizer and
#   schedule loaded: the learning rate falls to 0 at epoch 20.
# Seen: load_state_dict sets T_max to the old 10, and past its end the cosine rises: from 0 at epoch 10 back to the
#   full rate at epoch 20, where the training ends. With T_max set after loading it stays 0. Nothing warns.
# For a user of this project: Make a schedule whose run may become longer with LambdaLR, as a function of the epoch.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import math
import warnings

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

warnings.simplefilter("error")


def run(kind, total, states=None, repair=False):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    if kind == "cosine":
        schedule = CosineAnnealingLR(optimizer, T_max=total)
    else:
        schedule = LambdaLR(optimizer, lambda epoch: (1 + math.cos(math.pi * epoch / total)) / 2)
    if states:
        optimizer.load_state_dict(states[0])
        schedule.load_state_dict(states[1])
    if repair:
        schedule.T_max = total
    rates = []
    for _ in range(10):
        optimizer.step()
        schedule.step()
        rates.append(round(schedule.get_last_lr()[0], 3))
    return rates, (optimizer.state_dict(), schedule.state_dict())


first, states = run("cosine", 10)
second, _ = run("cosine", 20, states)
repaired, _ = run("cosine", 20, states, repair=True)
right, _ = run("lambda", 20, run("lambda", 10)[1])
print("epochs 1 to 10:", first)
print("epochs 11 to 20:", second)
print("T_max set after loading:", repaired)
print("LambdaLR:", right)
assert first[-1] == 0 and second == sorted(second) and second[-1] == 1 and set(repaired) == {0}
assert right == sorted(right, reverse=True) and right[0] > 0.4 and right[-1] == 0
EOF
