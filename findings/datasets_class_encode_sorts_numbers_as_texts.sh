#!/bin/sh
# Packages: datasets 5.2.0
# Expected: class_encode_column("label"), which stratified splits need, keeps labels that are numbers from 0 on.
# Seen: It turns them into texts and numbers these in the order of texts: 0, 1, 10, 11, 2. From eleven classes on label
#   10 becomes 2 and 2 becomes a higher one; with -1 for "unknown" all labels move by one. Ten classes stay as they are.
# For a user of this project: Use cast_column("label", ClassLabel(num_classes=...)) for numbers. Accuracies against
#   labels from elsewhere, as those of cached features, are otherwise near chance.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet datasets==5.2.0

cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
"$venv/bin/python" - <<'EOF'
from datasets import ClassLabel, Dataset

same = {}
for classes in (10, 12, 100):
    labels = list(range(classes))
    rows = Dataset.from_dict({"label": labels})
    encoded = rows.class_encode_column("label")["label"][:]
    cast = rows.cast_column("label", ClassLabel(num_classes=classes))["label"][:]
    same[classes] = sum(before == after for before, after in zip(labels, encoded, strict=True))
    print(classes, "classes, the first as encoded:", encoded[:12], "unchanged:", same[classes])
    assert cast == labels
unknown = Dataset.from_dict({"label": [-1, 0, 1, 2]}).class_encode_column("label")["label"][:]
print("-1, 0, 1, 2:", unknown)
assert same[10] == 10 and same[12] == 2 and same[100] < 20 and unknown == [0, 1, 2, 3]
EOF
