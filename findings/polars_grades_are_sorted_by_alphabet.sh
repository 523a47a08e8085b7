#!/bin/sh
# Packages: numpy 2.4.6, pandas 3.1.1, polars 2.1.0, pyarrow 25.0.1
# Expected: A column of ordered grades (low < medium < high) keeps its order when Polars reads what pandas wrote.
# Seen: The grades come as Categorical, whose order is the alphabet: high < low < medium. The highest grade is
#   "medium", and grade >= "medium" leaves out all that are high. Neither read_parquet nor from_pandas says so; pandas
#   reads the order.
# For a user of this project: Cast such columns to pl.Enum(["low", "medium", "high"]) after reading. Selections of
#   tumours of high grade, or of images of good quality, otherwise hold others.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pandas==3.1.1 polars==2.1.0 pyarrow==25.0.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import pandas as pd
import polars as pl

grades = pd.Categorical(["high", "low", "high", "medium"], ["low", "medium", "high"], ordered=True)
table = pd.DataFrame({"grade": grades})
table.to_parquet("grades.parquet")
read = {"pandas": pd.read_parquet("grades.parquet")["grade"], "Polars": pl.read_parquet("grades.parquet")["grade"]}
read["Polars, from_pandas"] = pl.from_pandas(table)["grade"]
read["Polars, as Enum"] = read["Polars"].cast(pl.Enum(["low", "medium", "high"]))
seen = {name: (column.max(), int((column >= "medium").sum())) for name, column in read.items()}
for name, (highest, count) in seen.items():
    print(f"{name}: highest {highest}, medium or above: {count} of 4")
assert list(seen.values()) == [("high", 3), ("medium", 1), ("medium", 1), ("high", 3)]
EOF
