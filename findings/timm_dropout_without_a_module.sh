#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: Switching the nn.Dropout modules of a network to training gives Monte Carlo dropout.
# Seen: ResNets and EfficientNets of timm with drop_rate=0.5 have no such module: they call F.dropout. All passes are
#   equal, so the uncertainty is 0 for every image. Vision transformers of timm have the module.
# For a user of this project: Check that two passes differ before uncertainty from dropout is used.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet timm==1.0.31 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import timm
import torch

torch.manual_seed(0)
for name, size in (("resnet18", 64), ("efficientnet_b0", 64), ("vit_tiny_patch16_224", 224)):
    network = timm.create_model(name, drop_rate=0.5).eval()
    dropouts = [module for module in network.modules() if isinstance(module, torch.nn.Dropout) and module.p > 0]
    for dropout in dropouts:
        dropout.train()
    image = torch.rand(1, 3, size, size)
    with torch.no_grad():
        spread = torch.stack([network(image) for _ in range(5)]).std(0).max()
        network.train()
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()
        whole = torch.stack([network(image) for _ in range(5)]).std(0).max()
    print(name, "modules:", len(dropouts), "spread of five passes:", float(spread), "all in training:", float(whole))
    assert (spread == 0) == (not dropouts) == (not name.startswith("vit")) and whole > 0
EOF
