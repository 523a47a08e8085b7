#!/bin/sh
# Packages: numpy 2.4.6, statsmodels 0.15.0
# Expected: LOWESS of right (1) and wrong (0) predictions on a certainty follows the accuracy, as a moving average
#   does.
# Seen: The curve is 1 everywhere, for accuracies that rise from 0.6 to 0.95: by default (it=3) it fits again with
#   less weight for outliers, and the wrong predictions are the outliers. With it=0 it follows the accuracy.
# For a user of this project: Pass it=0 for curves of accuracy on kappa; the default shows a perfect model.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 statsmodels==0.15.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from statsmodels.nonparametric.smoothers_lowess import lowess

random = np.random.default_rng(0)
certainty = random.random(2000)
right = (random.random(2000) < 0.6 + 0.35 * certainty).astype(float)
robust, plain = lowess(right, certainty)[:, 1], lowess(right, certainty, it=0)[:, 1]
print("accuracy:", right.mean(), "of the uncertain half:", right[certainty < 0.5].mean())
print("default: from", robust.min(), "to", robust.max())
print("it=0: from", plain.min(), "to", plain.max())
assert right.mean() < 0.8 and np.abs(robust - 1).max() < 1e-6
assert 0.55 < plain.min() < 0.68 and 0.92 < plain.max() < 1
EOF
