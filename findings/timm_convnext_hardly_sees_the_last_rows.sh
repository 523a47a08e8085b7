#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: A ConvNeXt of timm sees the whole image at any size.
# Seen: Each of its four reductions cuts off what does not fill a block. One pixel below a multiple of 32 the last three
#   rows and columns change nothing, whatever the weights; with random weights (layer scale 0.1) the last 16 rows have
#   4 to 7 % of the influence of an average row. No warning.
# For a user of this project: Resize or pad images to a multiple of 32 before encoders of this family. What lies at the
#   right and lower edge otherwise hardly counts, and certainty there belongs to something else.
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


def influence(size):
    """Return the mean gradient of the features for each row of pixels, over that of all rows."""
    torch.manual_seed(0)
    network = timm.create_model("convnext_atto", num_classes=0, ls_init_value=0.1).eval()
    for weight in network.parameters():
        if weight.ndim > 1:
            torch.nn.init.kaiming_normal_(weight, nonlinearity="linear")
    images = torch.rand(4, 3, size, size, requires_grad=True)
    (network(images) * torch.randn(network.num_features)).sum().backward()
    rows = images.grad.abs().mean((0, 1, 3))
    return rows / rows.mean()


for size in (64, 63, 128, 127):
    rows = influence(size)
    unseen, first, last = int((rows == 0).sum()), float(rows[:16].mean()), float(rows[-16:].mean())
    print("ConvNeXt at", size, "- rows without influence:", unseen, "first 16 rows:", first, "last 16 rows:", last)
    cut = size % 32 > 0
    assert unseen == (3 if cut else 0) and (0.02 < last < 0.1 if cut else 0.9 < last < 1.1) and first > 0.9
EOF
