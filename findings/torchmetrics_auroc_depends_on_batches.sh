#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1, torch 2.14.1, torchmetrics 1.9.0
# Expected: BinaryAUROC depends on the order of the scores alone: not on their scale, nor on the batches in which
#   they arrive.
# Seen: Each update puts a sigmoid on the scores of that batch if one of them is outside [0, 1], so batches of one
#   data set are mixed from two scales; and scores of some hundreds all become 1, which makes the AUROC 0.5.
# For a user of this project: Certainties such as kappa are larger than 1. Use scikit-learn's roc_auc_score, or give
#   ranks divided by their number.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1 torch==2.14.1 torchmetrics==1.9.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torchmetrics.classification import BinaryAUROC

rng = np.random.default_rng(0)
score = rng.gamma(2, 0.5, 2000).astype(np.float32)
right = (rng.random(2000) < score / (1 + score)).astype(int)
truth = roc_auc_score(right, score)
print("scikit-learn", round(truth, 4))


def auroc(values, batch):
    metric = BinaryAUROC()
    for first in range(0, len(values), batch):
        metric.update(torch.tensor(values[first : first + batch]), torch.tensor(right[first : first + batch]))
    return float(metric.compute())


whole, single, raised = auroc(score, 2000), auroc(score, 1), auroc(score + 500, 2000)
print(f"torchmetrics: one batch {whole:.4f}, images one by one {single:.4f}, all scores 500 higher {raised:.4f}")
assert abs(whole - truth) < 1e-4 and truth - single > 0.005 and raised == 0.5
EOF
