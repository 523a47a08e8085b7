#!/bin/sh
# Packages: torch 2.12.1, torchmetrics 1.9.0
# Expected: torchmetrics.Accuracy(task="multiclass") and MulticlassAccuracy are the same measure: the first makes the
#   second.
# Seen: The first has the average "micro", the second "macro". With 90 % of one class, a constant answer has an accuracy
#   of 0.9 by the one and 0.5 by the other; so have the functions.
# For a user of this project: State average="micro" where accuracies of other programs are compared with the ones here.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.12.1 torchmetrics==1.9.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
import torchmetrics
from torchmetrics.functional.classification import multiclass_accuracy

labels, answers = torch.tensor([0] * 90 + [1] * 10), torch.zeros(100, dtype=torch.int64)
by_task = torchmetrics.Accuracy(task="multiclass", num_classes=2)
by_class = torchmetrics.classification.MulticlassAccuracy(num_classes=2)
print("the first makes a", type(by_task).__name__, "with", by_task.average, "- the second has", by_class.average)
assert type(by_task) is type(by_class)
values = {
    "Accuracy": by_task(answers, labels),
    "accuracy": torchmetrics.functional.accuracy(answers, labels, task="multiclass", num_classes=2),
    "MulticlassAccuracy": by_class(answers, labels),
    "multiclass_accuracy": multiclass_accuracy(answers, labels, num_classes=2),
}
print({name: round(float(value), 6) for name, value in values.items()})
assert [round(float(value), 6) for value in values.values()] == [0.9, 0.9, 0.5, 0.5]
EOF
