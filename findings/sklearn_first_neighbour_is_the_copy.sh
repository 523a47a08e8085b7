#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1
# Expected: The nearest neighbour of a training row is the row itself, so dropping the first column of kneighbors(X)
#   leaves each row out.
# Seen: Where two rows are equal the one with the lower number comes first for both. The other keeps itself as its
#   second neighbour: with 10 % copies a 1-NN on random labels of ten classes has an accuracy of 0.19, not 0.1.
# For a user of this project: Call kneighbors() without an argument, which leaves rows out by their number, or remove
#   copies first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from sklearn.neighbors import NearestNeighbors

random = np.random.default_rng(0)
features = random.normal(size=(5000, 8))
features[4500:] = features[:500]  # 500 copies
labels, rows = random.integers(0, 10, 5000), np.arange(5000)
fitted = NearestNeighbors(n_neighbors=2).fit(features)
dropped = fitted.kneighbors(features)[1][:, 1]
left_out = fitted.kneighbors(n_neighbors=1)[1][:, 0]
for name, nearest in (("first column dropped", dropped), ("kneighbors()", left_out)):
    print(name, "rows that are their own neighbour:", np.sum(nearest == rows), end=", ")
    print("accuracy on random labels:", np.mean(labels[nearest] == labels))
assert np.sum(dropped == rows) == 500 and not np.any(left_out == rows)
assert np.mean(labels[dropped] == labels) > 0.17 and np.mean(labels[left_out] == labels) < 0.12
EOF
