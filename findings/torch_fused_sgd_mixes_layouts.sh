#!/bin/sh
# Packages: numpy 2.4.6, safetensors 0.8.0, torch 2.12.1
# Expected: SGD(fused=True) is a faster form of SGD, also after its momentum was read from a file. A tensor's layout
#   in memory does not change what an optimiser does to it.
# Seen: safetensors gives momentum without the layout channels_last. The fused step on a CPU goes through weights and
#   momentum in the order of memory, so each weight of a convolution gets the momentum of another one. Nothing warns;
#   the plain step is right.
# For a user of this project: Give momentum that is read from a file the layout of its weight before fused=True.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 safetensors==0.8.0 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from safetensors.torch import load_file, save_file
from torch import nn


def trained(fused):
    """A convolution after one step, a restart from a file with weights and momentum, and a second step."""
    torch.manual_seed(0)
    images = torch.randn(8, 3, 6, 6).to(memory_format=torch.channels_last)
    layer = nn.Conv2d(3, 4, 3, bias=False).to(memory_format=torch.channels_last)
    options = {"lr": 0.1, "momentum": 0.9, "fused": fused}
    optimizer = torch.optim.SGD(layer.parameters(), **options)
    for step in range(2):
        if step == 1:
            momentum = optimizer.state[layer.weight]["momentum_buffer"]
            save_file({"weight": layer.weight.detach().contiguous(), "momentum": momentum.contiguous()}, "run")
            read = load_file("run")
            layer.load_state_dict({"weight": read["weight"]})
            optimizer = torch.optim.SGD(layer.parameters(), **options)
            optimizer.state[layer.weight]["momentum_buffer"] = read["momentum"]
        optimizer.zero_grad()
        layer(images).square().mean().backward()
        optimizer.step()
    return layer.weight.detach()


plain, fused = trained(False), trained(True)
difference = float((plain - fused).abs().max() / plain.abs().max())
print("largest difference of the weights after resuming, as a share of the largest weight:", round(difference, 4))
assert difference > 0.01, difference
EOF
