#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1
# Expected: test_size=0.2 of GroupShuffleSplit holds out about a fifth of the images, in whole groups.
# Seen: It holds out a fifth of the groups. With ten patients, one of whom has 91 % of the images, the test set has
#   2 % or 92 % of the images and nothing else.
# For a user of this project: Where images are split by patient, slide or camera, look at the number of test images,
#   not at the share.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from sklearn.model_selection import GroupShuffleSplit

patient = np.repeat(np.arange(10), [910] + [10] * 9)
splits = GroupShuffleSplit(200, test_size=0.2, random_state=0).split(patient, groups=patient)
shares = np.array([len(test) / len(patient) for _, test in splits])
print("shares of the images in 200 test sets:", {float(share): int(np.sum(shares == share)) for share in set(shares)})
assert set(shares) == {0.02, 0.92}
EOF
