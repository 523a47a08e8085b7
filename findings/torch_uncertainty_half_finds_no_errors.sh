#!/bin/sh
# Packages: torch 2.14.1, torchvision 0.29.1, torchmetrics 1.9.0, lightning 2.6.6, rich 15.0.0, torch-uncertainty 0.13.0
# Expected: AURC, risk at 80 % coverage and coverage at 5 % risk are, but for rounding, those of float32 where a model
#   gives its probabilities in float16, as under autocast, whatever the number of images or pixels.
# Seen: The risks are divided by counts in the type of the probabilities. float16 ends at 65,504, so all further risks
#   become 0: of 100,000 images the AURC is a third of the true one, the risk at 80 % coverage 0, the coverage at 5 %
#   risk 1, without a warning. With 60,000 images all is well. bfloat16 has no such end.
# For a user of this project: Give risk-coverage metrics float32. This project's own are computed in float64.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.14.1 torchvision==0.29.1 torchmetrics==1.9.0 lightning==2.6.6 rich==15.0.0 \
  torch-uncertainty==0.13.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from torch_uncertainty.metrics import AURC, CovAt5Risk, RiskAt80Cov


def measured(probabilities, labels):
    found = []
    for metric in (AURC(), RiskAt80Cov(), CovAt5Risk()):
        metric.update(probabilities, labels)
        found.append(float(metric.compute()))
    return torch.tensor(found)


torch.manual_seed(0)
print("                AURC  risk at 80 %  coverage at 5 %")
of = {}
for images in (60_000, 100_000):
    labels = torch.randint(10, (images,))
    logits = 2 * torch.randn(images, 10)
    logits[torch.arange(images), labels] += 4
    for kind in (torch.float32, torch.float16):
        of[images, kind] = measured(logits.softmax(1).to(kind), labels)
        print(f"{images:7,} {str(kind)[6:]}", *(f"{value:.4f}" for value in of[images, kind]))
assert torch.allclose(of[60_000, torch.float16], of[60_000, torch.float32], atol=2e-3)
true, half = of[100_000, torch.float32], of[100_000, torch.float16]
assert half[0] < 0.5 * true[0] and half[1] == 0 and half[2] == 1 and true[1] > 0.2 and true[2] < 0.3
EOF
