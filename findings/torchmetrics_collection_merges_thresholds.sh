#!/bin/sh
# Packages: torch 2.12.1, torchmetrics 1.9.0
# Expected: A MetricCollection gives each metric the value that it has alone.
# Seen: After the first batch, metrics with equal states are merged for good. Where that batch is sure (no score
#   between 0.5 and 0.9), BinaryAccuracy(threshold=0.9) has the value of threshold=0.5 at the end of all batches; the
#   same happens to ignore_index where the first batch has no such label. No warning.
# For a user of this project: Pass compute_groups=False where metrics differ in a threshold, a class or ignore_index.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.12.1 torchmetrics==1.9.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy, MulticlassAccuracy

torch.manual_seed(0)
scores = [(torch.tensor([0.95, 0.02, 0.99, 0.97]), torch.tensor([1, 0, 0, 1]))]  # the first batch: no score is unsure
scores += [(row, (torch.rand(100) < row).long()) for row in torch.rand(5, 100)]
classes = [(torch.tensor([1, 2, 1]), torch.tensor([1, 1, 2]))]  # the first batch: no label is 0
classes += [(torch.randint(0, 2, (100,)), torch.randint(0, 3, (100,))) for _ in range(5)]


def threshold(value):
    return BinaryAccuracy(threshold=value)


def ignored(label):
    return MulticlassAccuracy(num_classes=3, average="micro", ignore_index=label)


for make, options, batches in ((threshold, (0.5, 0.9), scores), (ignored, (None, 0), classes)):
    together = MetricCollection({f"accuracy{number}": make(option) for number, option in enumerate(options)})
    apart = MetricCollection(
        {f"accuracy{number}": make(option) for number, option in enumerate(options)}, compute_groups=False
    )
    for scored, labels in batches:
        together.update(scored, labels)
        apart.update(scored, labels)
    merged, right = ([float(value) for value in metrics.compute().values()] for metrics in (together, apart))
    print(make.__name__, options, "in a collection:", merged, "compute_groups=False:", right)
    assert merged[0] == merged[1] == right[0] and abs(right[1] - right[0]) > 0.05
EOF
