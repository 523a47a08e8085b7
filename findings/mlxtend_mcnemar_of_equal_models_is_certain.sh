#!/bin/sh
# Packages: mlxtend 0.25.0, numpy 2.4.6, statsmodels 0.15.0
# Expected: McNemar's test of two models with equal answers has p = 1 (or no p-value).
# Seen: mlxtend gives p = 0, and so does statsmodels with exact=False: the correction for continuity makes (0 - 1)^2 of
#   no difference, divided by no differing answers. numpy warns of a division; the most certain difference of a table
#   is that of two copies.
# For a user of this project: Pass exact=True to both (statsmodels has it as default). Equal answers are usual where one
#   encoder is probed twice, on small test sets, or at 100 % accuracy.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet mlxtend==0.25.0 numpy==2.4.6 statsmodels==0.15.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import mlxtend.evaluate
import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

warnings.simplefilter("ignore", RuntimeWarning)  # "divide by zero encountered in scalar divide"
truth = np.repeat([0, 1], [50, 40])
answers = np.ones(90, int)
table = mlxtend.evaluate.mcnemar_table(truth, answers, answers)
p_values = {
    "mlxtend": mlxtend.evaluate.mcnemar(table)[1],
    "mlxtend, exact=True": mlxtend.evaluate.mcnemar(table, exact=True)[1],
    "statsmodels, exact=False": mcnemar(table, exact=False).pvalue,
    "statsmodels": mcnemar(table).pvalue,
}
for name, value in p_values.items():
    print(f"{name}: p = {float(value)}")
assert [float(value) for value in p_values.values()] == [0, 1, 0, 1]
EOF
