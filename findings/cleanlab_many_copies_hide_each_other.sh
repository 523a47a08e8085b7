#!/bin/sh
# Packages: cleanlab 2.9.0, datasets 5.2.0, numpy 2.4.6, pandas 3.1.1, scikit-learn 1.9.1
# Expected: Datalab's check for near duplicates finds the more images, the more copies a data set has.
# Seen: It finds all copies until half of the images have one, and none from then on. Its threshold is a share of the
#   median distance to the nearest image; once most images have a copy, that median is the distance between copies.
# For a user of this project: Look for copies by a fixed distance of features (radius_neighbors) before Datalab. Sets
#   made of frames, exposures or crops of one subject are otherwise called free of copies, and are split at random.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet cleanlab==2.9.0 datasets==5.2.0 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from cleanlab import Datalab
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

rng = np.random.default_rng(0)
digits = load_digits().data  # 64 pixels of 0 to 16
seen = {}
for share in (0.05, 0.3, 0.6, 1.0):
    copied = digits[: int(share * len(digits))]
    images = np.concatenate([digits, copied + rng.normal(size=copied.shape) * 0.05])
    lab = Datalab({"label": np.zeros(len(images), int)}, label_name="label", verbosity=0)
    lab.find_issues(features=images, issue_types={"near_duplicate": {}})
    found = int(lab.get_issues("near_duplicate")["is_near_duplicate_issue"].sum())
    neighbours = NearestNeighbors(radius=2).fit(images).radius_neighbors(return_distance=False)
    near = sum(len(row) > 0 for row in neighbours)
    seen[share] = 2 * len(copied), found, near
    print(f"{len(images)} images, with a copy: {2 * len(copied)}, found: {found}, within a distance of 2: {near}")
assert all(copies == near for copies, _, near in seen.values())
assert [found > 0.99 * copies for copies, found, _ in seen.values()] == [True, True, False, False]
assert seen[0.6][1] == seen[1.0][1] == 0
EOF
