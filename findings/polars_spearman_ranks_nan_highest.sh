#!/bin/sh
# Packages: numpy 2.4.6, pandas 3.1.1, polars 2.1.0, scipy 1.17.1
# Expected: A missing score (NaN) leaves its image out of a rank correlation, as in pandas, or makes it NaN, as in
#   scipy.
# Seen: Polars gives NaN the highest rank: the correlation of ten equal pairs, the lowest of them missing, is 0.45
#   where it is 1 without the image. A null is left out; NaN from numpy and torch is no null.
# For a user of this project: Call fill_nan(None) before pl.corr on columns of scores that can be NaN.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pandas==3.1.1 polars==2.1.0 scipy==1.17.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import pandas as pd
import polars as pl
from scipy.stats import spearmanr

error = np.arange(10.0)
score = error.copy()
score[0] = np.nan
columns = {"error": error, "score": score}
table = pl.DataFrame(columns)
corr = pl.corr("error", "score", method="spearman")
seen = {
    "polars": table.select(corr).item(),
    "polars, null": table.with_columns(pl.col("score").fill_nan(None)).select(corr).item(),
    "pandas": pd.DataFrame(columns).corr("spearman").loc["error", "score"],
    "scipy": spearmanr(error, score).statistic,
}
print({name: float(value) for name, value in seen.items()})
assert abs(seen["polars"] - 5 / 11) < 1e-6 and np.isclose((seen["polars, null"], seen["pandas"]), 1).all()
assert np.isnan(seen["scipy"])
EOF
