#!/bin/sh
# Packages: numpy 2.4.6, scipy 1.17.1
# Expected: fcluster(linkage(features), 1) groups images that are joined within a distance of 1.
# Seen: Its threshold is one of inconsistency (a height compared with those below it), by default. Of 110 images with
#   ten near copies 51 images that have no copy are put into groups; only criterion="distance" gives the ten pairs.
# For a user of this project: Pass criterion="distance" where near copies are grouped; the default removes different
#   images.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

random = np.random.default_rng(0)
features = random.normal(size=(100, 8)) * 10
features = np.vstack([features, features[:10] + random.normal(size=(10, 8)) * 0.01])
tree = linkage(features)
seen = {}
for name, options in (("default", {}), ("distance", {"criterion": "distance"})):
    group = fcluster(tree, 1, **options)
    grouped = np.bincount(group)[group] > 1
    seen[name] = len(set(group)), int(grouped[10:100].sum())
    print(name, "groups:", seen[name][0], "images without a copy in a group with others:", seen[name][1])
assert seen["distance"] == (100, 0) and seen["default"][1] > 30
EOF
