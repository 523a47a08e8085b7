#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: create_optimizer_v2(model, opt="sgd", lr, weight_decay, momentum) is torch.optim.SGD with these values.
# Seen: It has Nesterov's momentum, and no weight decay on biases and norms. opt="momentum" is the one without
#   Nesterov. After two equal gradients a weight of 1 is 0.53 where torch has 0.71.
# For a user of this project: SimSiam's recipe is plain momentum: take opt="momentum", and filter_bias_and_bn=False
#   where all weights shall decay.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet timm==1.0.31 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import timm.optim
import torch

seen = {}
for name in ("torch", "sgd", "momentum"):
    layer = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(layer.weight)
    options = {"lr": 0.1, "weight_decay": 0.01, "momentum": 0.9}
    if name == "torch":
        optimizer = torch.optim.SGD(layer.parameters(), **options)
    else:
        optimizer = timm.optim.create_optimizer_v2(layer, opt=name, **options)
    decay = {group["weight_decay"] for group in optimizer.param_groups for p in group["params"] if p.ndim == 1}
    for _ in range(2):
        layer.weight.grad = torch.ones(1, 1)
        optimizer.step()
    seen[name] = optimizer.param_groups[0]["nesterov"], layer.weight.item(), decay
    print(name, "nesterov:", seen[name][0], "weight after two steps:", seen[name][1], "decay of the bias:", decay)
assert [seen[name][0] for name in seen] == [False, True, False]
assert seen["torch"][1] == seen["momentum"][1] != seen["sgd"][1]
assert seen["torch"][2] == {0.01} and seen["sgd"][2] == seen["momentum"][2] == {0}
EOF
