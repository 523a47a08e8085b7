#!/bin/sh
# Packages: torch 2.12.1, torchvision 0.27.1
# Expected: A hook on the last batch norm of a residual block gives its output, before the sum and the ReLU.
# Seen: The network adds the shortcut to this tensor and applies the ReLU to it in place. The hook keeps the same
#   tensor, so after the pass it holds the output of the block, without a negative value.
# For a user of this project: Return output.clone() from hooks on torchvision's networks; statistics and certainties
#   from layers are otherwise those of another layer.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
import torchvision

torch.manual_seed(0)
network = torchvision.models.resnet18().eval()
seen = {}
last = network.layer4[1]
last.bn2.register_forward_hook(lambda module, inputs, output: seen.update(kept=output, copied=output.clone()))
last.register_forward_hook(lambda module, inputs, output: seen.update(block=output))
with torch.no_grad():
    network(torch.rand(2, 3, 64, 64))
for name, features in seen.items():
    print(name, "share of negative values:", float((features < 0).float().mean()))
assert torch.equal(seen["kept"], seen["block"]) and (seen["copied"] < 0).float().mean() > 0.3
EOF
