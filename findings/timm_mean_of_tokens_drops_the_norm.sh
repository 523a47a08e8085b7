#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: vit_tiny_patch16_224 with num_classes=0 and global_pool="avg" gives the means of the trained tokens, after
#   the trained last norm.
# Seen: The last norm moves behind the mean and has another name, fc_norm: the trained weights of "norm" are dropped,
#   with a line in the log, and ones and zeros take their place. With a head of classes the same is an error.
# For a user of this project: Average the tokens of forward_features() instead, or copy norm to fc_norm; features
#   of such an encoder are on another scale than those that were published.
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
name = "vit_tiny_patch16_224"
trained = timm.create_model(name).eval()
torch.nn.init.uniform_(trained.norm.weight, 0.1, 4)  # what training moves
torch.save(trained.state_dict(), "weights.pth")
options = {"pretrained": True, "pretrained_cfg_overlay": {"file": "weights.pth"}}
token = timm.create_model(name, num_classes=0, **options).eval()
means = timm.create_model(name, num_classes=0, global_pool="avg", **options).eval()
images = torch.rand(2, 3, 224, 224)
with torch.no_grad():
    tokens = trained.forward_features(images)
    same = torch.equal(token(images), tokens[:, 0])
    cosines = torch.cosine_similarity(tokens[:, 1:].mean(1), means(images))
weights = means.fc_norm.weight
print("first token as trained:", same, "last norm as trained:", float(trained.norm.weight.mean().detach()))
print("last norm with means:", float(weights.mean().detach()), "cosines with the right means:", cosines.tolist())
assert same and torch.all(weights == 1) and cosines.max() < 0.95
try:
    timm.create_model(name, global_pool="avg", **options)
except RuntimeError as error:
    print("with a head:", str(error).splitlines()[1].strip())
else:
    raise SystemExit("with a head: no error")
EOF
