#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: A pretrained network made with in_chans=4 gives an image whose fourth band is 0 the features of its three
#   colours, or has new weights for the fourth.
# Seen: The weights of red are used for the fourth band again, and all are multiplied by 3/4. With a fourth band of 0
#   the first layer answers with 3/4 of its values; a bright infrared counts as red.
# For a user of this project: Features of three and of four bands do not mix. Multiply the first weights by 4/3 and
#   set those of the fourth band to 0 to begin where the pretrained network ended.
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
torch.save(timm.create_model("resnet18").state_dict(), "weights.pth")
options = {"pretrained": True, "pretrained_cfg_overlay": {"file": "weights.pth"}}
three, four = timm.create_model("resnet18", **options), timm.create_model("resnet18", in_chans=4, **options)
weights = three.conv1.weight
print("first layer, four bands over three:", (four.conv1.weight[:, :3] / weights).mean((0, 2, 3)).tolist())
image = torch.rand(1, 3, 64, 64)
padded = torch.cat([image, torch.zeros(1, 1, 64, 64)], 1)
with torch.no_grad():
    ratio = four.conv1(padded).norm() / three.conv1(image).norm()
print("answer to an empty fourth band over that to three bands:", float(ratio))
assert torch.allclose(four.conv1.weight, 0.75 * weights[:, [0, 1, 2, 0]]) and abs(ratio - 0.75) < 1e-4
with torch.no_grad():
    four.conv1.weight *= 4 / 3
    four.conv1.weight[:, 3] = 0
    assert torch.allclose(four.conv1(padded), three.conv1(image), atol=1e-5)
EOF
