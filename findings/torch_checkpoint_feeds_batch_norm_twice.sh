#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: Activation checkpointing changes memory and time alone: loss, gradients and running statistics are the
#   same.
# Seen: The part is computed twice, so a batch norm in it counts each batch twice: its running mean moves by 0.19 of
#   the way a step where momentum says 0.1. Loss and gradients are equal, so training shows nothing.
# For a user of this project: The statistics used in evaluation follow fewer batches than the momentum says. With
#   checkpoints a momentum of 1 - sqrt(0.9) gives what 0.1 gives without.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import math

import torch
from torch.utils.checkpoint import checkpoint

seen = {}
for name, momentum in (("plain", 0.1), ("checkpoint", 0.1), ("checkpoint", 1 - math.sqrt(0.9))):
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm1d(3, momentum=momentum)
    batch = (torch.randn(64, 3) + 5).requires_grad_()
    out = norm(batch) if name == "plain" else checkpoint(norm, batch, use_reentrant=False)
    out.square().sum().backward()
    seen[name, momentum] = norm.running_mean / batch.detach().mean(0), norm.weight.grad, norm.num_batches_tracked
    print(name, "momentum", momentum, "moved by", norm.running_mean / batch.detach().mean(0), norm.num_batches_tracked)
plain, checked, repaired = seen.values()
assert torch.allclose(plain[0], torch.tensor(0.1)) and torch.allclose(checked[0], torch.tensor(0.19))
assert torch.allclose(repaired[0], torch.tensor(0.1)) and (plain[2], checked[2]) == (1, 2)
assert torch.allclose(plain[1], checked[1])
EOF
