#!/bin/sh
# Packages: numpy 2.4.6, pytorch-ignite 0.5.5, torch 2.12.1, torchmetrics 1.9.0
# Expected: IoU(..., ignore_index=0) of ignite leaves out the pixels whose truth is 0, as ignore_index does in torch
#   and torchmetrics.
# Seen: It leaves out the row of class 0 in the result alone. What a network answers on these pixels still counts
#   against the other classes: answers without a fault on all labelled pixels have an IoU of 1/3.
# For a user of this project: Give pixels without a label a number beyond the classes (255), which ignite's
#   ConfusionMatrix leaves out. Measures of partly labelled scenes and slides otherwise count answers that nobody can
#   judge.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pytorch-ignite==0.5.5 torch==2.12.1 torchmetrics==1.9.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from ignite.metrics import ConfusionMatrix, IoU
from torch.nn.functional import one_hot
from torchmetrics.classification import MulticlassJaccardIndex

truth = torch.tensor([[1] * 50 + [2] * 50 + [0] * 100])  # 0: nobody has labelled these pixels
answers = torch.tensor([[1] * 50 + [2] * 50 + [1] * 100])


def ignite(truth, **options):
    """Return the IoU of each class by ignite."""
    measure = IoU(ConfusionMatrix(num_classes=3), **options)
    measure.update((one_hot(answers, 3).movedim(-1, 1).float(), truth))
    return measure.compute()


first = ignite(truth, ignore_index=0)
beyond = ignite(torch.where(truth == 0, 255, truth))[1:]
other = MulticlassJaccardIndex(num_classes=3, ignore_index=0, average="none")(answers, truth)[1:]
print("IoU of classes 1 and 2, ignite:", first, "unlabelled as 255:", beyond, "torchmetrics:", other)
assert [round(value, 3) for value in first.tolist()] == [0.333, 1]
assert beyond.tolist() == other.tolist() == [1, 1]
EOF
