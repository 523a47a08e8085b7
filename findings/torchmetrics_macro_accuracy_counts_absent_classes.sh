#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1, torch 2.12.1, torchmetrics 1.9.0
# Expected: The mean accuracy over classes is over the classes that the test images have, as in scikit-learn.
# Seen: A class that is predicted once and has no test image counts as a class with accuracy 0. With two classes of
#   ten in the test set and 90 % right, MulticlassAccuracy (macro by default) is 0.6; with four wrong answers in other
#   classes 0.3.
# For a user of this project: Use balanced_accuracy_score on subsets, out-of-distribution sets and batches; otherwise
#   one stray answer costs as much as a whole class.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1 torch==2.12.1 torchmetrics==1.9.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from torchmetrics.classification import MulticlassAccuracy

warnings.simplefilter("ignore")  # scikit-learn warns of predicted classes without an image
truth = np.repeat([0, 1], 50)
seen = {}
for name, answers in (("one", [2]), ("four", [2, 3, 4, 5])):
    predicted = truth.copy()
    predicted[::10] = np.resize(answers, 10)
    metric = MulticlassAccuracy(num_classes=10)
    seen[name] = float(metric(torch.tensor(predicted), torch.tensor(truth)))
    reference = balanced_accuracy_score(truth, predicted)
    print("ten errors in", name, "absent classes: torchmetrics", seen[name], "scikit-learn", reference)
    assert np.isclose(reference, 0.9)
assert np.allclose(list(seen.values()), (0.9 * 2 / 3, 0.9 * 2 / 6))
EOF
