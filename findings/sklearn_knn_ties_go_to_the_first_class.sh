#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1
# Expected: Where two classes have equally many of the k neighbours, KNeighborsClassifier takes the nearer or a random
#   one.
# Seen: It takes the class that comes first in order. On features without information and ten equal classes 22 % of
#   the answers with k=5 are class 0 and 6 % class 9; of two classes with k=2 three quarters are class 0.
# For a user of this project: Take k=1, or weights="distance", for a k-NN accuracy by class. Classes at the beginning
#   of the alphabet otherwise look easier.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from sklearn.neighbors import KNeighborsClassifier

random = np.random.default_rng(0)
features = random.normal(size=(20_000, 8))
seen = {}
for classes, k, weights in ((10, 5, "uniform"), (2, 2, "uniform"), (10, 5, "distance"), (2, 2, "distance")):
    labels = random.permutation(np.arange(20_000) % classes)
    answers = KNeighborsClassifier(k, weights=weights).fit(features[::2], labels[::2]).predict(features[1::2])
    share = np.bincount(answers, minlength=classes) / len(answers)
    seen[classes, k, weights] = share[0], share[-1]
    print(classes, "classes, k =", k, weights, "share of the first and of the last:", share[0], share[-1])
assert seen[10, 5, "uniform"][0] > 0.2 and seen[10, 5, "uniform"][1] < 0.07 and seen[2, 2, "uniform"][0] > 0.72
assert np.allclose(seen[10, 5, "distance"], 0.1, atol=0.02) and np.allclose(seen[2, 2, "distance"], 0.5, atol=0.02)
EOF
