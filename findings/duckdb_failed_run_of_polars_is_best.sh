#!/bin/sh
# Packages: duckdb 2.0.1, numpy 2.4.6, pandas 3.1.1, polars 2.1.0, pyarrow 26.0.1
# Expected: One SQL query of DuckDB over a table of results has one answer, whether pandas or Polars holds the table.
# Seen: A NaN of pandas becomes NULL and is left out; a NaN of Polars, or of a Parquet file that it wrote, stays, and
#   NaN is the greatest number. The best method is "b" for pandas and the failed run for Polars; its mean is NaN.
# For a user of this project: Call fill_nan(None) in Polars, or filter with isnan(), before max, arg_max, avg or ORDER
#   BY over scores in DuckDB.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet duckdb==2.0.1 numpy==2.4.6 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import duckdb
import numpy as np
import pandas as pd
import polars as pl

columns = {"method": ["a", "b", "failed"], "accuracy": [0.8, 0.9, np.nan]}
in_pandas, in_polars = pd.DataFrame(columns), pl.DataFrame(columns)
in_pandas.to_parquet("pandas.parquet")
in_polars.write_parquet("polars.parquet")
seen = {}
for table in ("in_pandas", "in_polars", "'pandas.parquet'", "'polars.parquet'"):
    query = f"SELECT arg_max(method, accuracy), avg(accuracy), count(accuracy) FROM {table}"
    seen[table] = duckdb.sql(query).fetchall()[0]
    print(f"{table}: best method, mean, values: {seen[table]}")
for table in ("in_pandas", "'pandas.parquet'"):
    assert seen[table][0] == "b" and abs(seen[table][1] - 0.85) < 1e-9 and seen[table][2] == 2
for table in ("in_polars", "'polars.parquet'"):
    assert seen[table][0] == "failed" and np.isnan(seen[table][1]) and seen[table][2] == 3
EOF
