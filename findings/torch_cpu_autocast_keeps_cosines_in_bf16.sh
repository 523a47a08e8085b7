#!/bin/sh
# Packages: torch 2.14.1
# Expected: On the CPU, autocast computes norms, cosines, softmax and logarithms in float32, as PyTorch documents it
#   for CUDA.
# Seen: The result of cosine_similarity, normalize, log_softmax, softmax, exp and log on what a linear layer gives
#   is bfloat16; cross_entropy and mse_loss are float32. One and the same loss has 8 bits on a CPU and 24 on a GPU.
# For a user of this project: A loss of cosines or of log-densities needs .float() before it, or autocast switched
#   off, to mean the same on both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.14.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from torch.nn import functional as F

torch.manual_seed(0)
x = torch.randn(8, 16)
with torch.autocast("cpu", dtype=torch.bfloat16):
    z = F.linear(x, x)
    kinds = {
        "cosine_similarity": F.cosine_similarity(z, z.flip(0)),
        "normalize": F.normalize(z),
        "log_softmax": F.log_softmax(z, dim=1),
        "softmax": F.softmax(z, dim=1),
        "exp": z.exp(),
        "log": z.abs().log(),
        "cross_entropy": F.cross_entropy(z, torch.arange(8)),
        "mse_loss": F.mse_loss(z, z.flip(0)),
    }
kinds = {name: value.dtype for name, value in kinds.items()}
print(kinds)
assert all((kind == torch.float32) == (name in ("cross_entropy", "mse_loss")) for name, kind in kinds.items())
EOF
