#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: FlopCounterMode of torch counts the same operations for a network on a CPU and on a GPU.
# Seen: On a CPU scaled_dot_product_attention runs in a kernel that the counter does not know: it counts as 0. A small
#   vision transformer has 2.1 instead of 2.5 GFLOP at 224 pixels, and 11.2 instead of 20.9 at 512. No warning.
# For a user of this project: Count inside sdpa_kernel(SDPBackend.MATH), or on tensors of the device "meta", before
#   the costs of encoders are compared; transformers otherwise look cheaper, the more so the larger the image.
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
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode


def count(work, *tensors):
    """Return the operations that the counter sees in `work(*tensors)`."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        work(*tensors)
    return counter.get_total_flops()


query = torch.rand(1, 3, 1024, 64)
true = 2 * 2 * 3 * 1024 * 1024 * 64  # two products of matrices, each with a multiplication and an addition
cpu = count(scaled_dot_product_attention, query, query, query)
meta = count(scaled_dot_product_attention, *[query.to("meta")] * 3)
print("attention over 1024 tokens, on the CPU:", cpu, "on meta:", meta, "true:", true)
assert cpu == 0 and meta == true
for size, shares in ((224, (2.1, 2.5)), (512, (11.2, 20.9))):
    network = timm.create_model("vit_tiny_patch16_224", img_size=size).eval()
    image = torch.rand(1, 3, size, size)
    seen = count(network, image) / 1e9
    with sdpa_kernel(SDPBackend.MATH):
        whole = count(network, image) / 1e9
    print("ViT-tiny at", size, "pixels, GFLOP:", seen, "with the plain kernel:", whole)
    assert (round(seen, 1), round(whole, 1)) == shares
EOF
