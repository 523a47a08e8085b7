#!/bin/sh
# Packages: numpy 2.4.6, scipy 1.17.1, statsmodels 0.15.0
# Expected: multipletests() raises over a p-value that is NaN, leaves it out, or lets it spoil the decisions and
#   corrected values alike.
# Seen: With fdr_bh all corrected p-values become NaN, while the decisions (`reject`) stay and look right. Holm
#   keeps the corrected values, but counts the NaN as one more test.
# For a user of this project: A claim without variation over the seeds has no p-value. Remove it before a
#   correction; never read only one of the two results.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from statsmodels.stats.multitest import multipletests

p = np.array([0.001, 0.012, 0.02, np.nan, 0.03])
for method in ("fdr_bh", "holm"):
    for values in (p, p[~np.isnan(p)]):
        reject, corrected = multipletests(values, method=method)[:2]
        print(method, values, "->", reject, corrected.round(4))
reject, corrected = multipletests(p, method="fdr_bh")[:2]
assert reject.tolist() == [True, True, True, False, True] and np.isnan(corrected).all()
assert multipletests(p, method="holm")[1][0] == 0.005 and multipletests(p[[0, 1, 2, 4]], method="holm")[1][0] == 0.004
EOF
