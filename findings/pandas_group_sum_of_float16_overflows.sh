#!/bin/sh
# Packages: numpy 2.4.6, pandas 3.1.1
# Expected: The sum of a float16 column is the same with and without groupby().
# Seen: Series.sum() is finite. groupby().sum() of one group that holds all rows is inf in float16, with a warning
#   of NumPy; groupby().mean() is right and float64.
# For a user of this project: Columns of cached float16 values need astype('float32') before they are added up by
#   class or by method.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pandas==3.1.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import pandas as pd

table = pd.DataFrame({"group": np.zeros(100_000, int), "x": np.full(100_000, 8, np.float16)})
plain, grouped, mean = table["x"].sum(), table.groupby("group")["x"].sum()[0], table.groupby("group")["x"].mean()[0]
print("sum", plain, "sum by group", grouped, "mean by group", mean)
assert plain == 800_000 and np.isinf(grouped) and mean == 8
EOF
