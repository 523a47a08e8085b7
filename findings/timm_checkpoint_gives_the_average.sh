#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: create_model(checkpoint_path=...) loads the weights under state_dict, or says which of several it took.
# Seen: Where the file has state_dict_ema too, the moving average is loaded, without a message. One file then is two
#   networks: timm gives the average, torch.load(...)["state_dict"] the trained weights.
# For a user of this project: Keep one set of weights in a file that others load, and name which one it is.
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
trained, average = timm.create_model("resnet18"), timm.create_model("resnet18")
seen = {}
for name, file in (
    ("state_dict", {"state_dict": trained.state_dict()}),
    ("state_dict and state_dict_ema", {"state_dict": trained.state_dict(), "state_dict_ema": average.state_dict()}),
):
    torch.save(file, "checkpoint.pth")
    weight = timm.create_model("resnet18", checkpoint_path="checkpoint.pth").conv1.weight
    seen[name] = torch.equal(weight, trained.conv1.weight), torch.equal(weight, average.conv1.weight)
    print("file with", name, "- loaded the trained weights, the average:", seen[name])
assert list(seen.values()) == [(True, False), (False, True)]
EOF
