#!/bin/sh
# Packages: numpy 2.4.6, scipy 1.17.1
# Expected: ttest_rel of two columns of grades gives the same for bytes and for floats, as ttest_ind and wilcoxon do.
# Seen: It subtracts before it converts, so -1 is 255 in uint8. Of 40 pairs where the second grade is higher
#   (t = -3.8, p = 0.0004) it finds with p < 1e-6 that the first one is higher. No warning.
# For a user of this project: Convert grades, counts, ranks and grey levels to float before a paired t-test.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from scipy import stats

random = np.random.default_rng(0)
first = random.integers(0, 5, 40)
second = np.clip(first + random.integers(-1, 2, 40) + (random.random(40) < 0.3), 0, 6)
for test in (stats.ttest_rel, stats.ttest_ind, stats.wilcoxon):
    seen = {}
    for kind in (np.uint8, float):
        seen[kind] = test(first.astype(kind), second.astype(kind))
        print(f"{test.__name__}, {kind.__name__}: {seen[kind].statistic:.3f}, p {seen[kind].pvalue:.2g}")
    if test is stats.ttest_rel:
        assert seen[float].statistic < -3 and seen[float].pvalue < 0.001
        assert seen[np.uint8].statistic > 3 and seen[np.uint8].pvalue < 1e-6
    else:
        assert seen[np.uint8].pvalue == seen[float].pvalue
EOF
