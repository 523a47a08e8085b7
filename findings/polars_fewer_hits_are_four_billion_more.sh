#!/bin/sh
# Packages: polars 2.1.0
# Expected: The number of right answers of one method less that of another is negative where the first is worse.
# Seen: The sum of a boolean column is an unsigned number of 32 bits, as pl.len() is. One right answer less than three
#   is 4,294,967,294 more, without a message; that method is then first by the difference.
# For a user of this project: Cast to pl.Int64 before counts are subtracted. numpy, pandas and SQL give -2.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet polars==2.1.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import polars as pl

answers = pl.DataFrame(
    {
        "data set": ["digits"] * 3 + ["fashion"] * 3,
        "new": [True, True, True, True, False, False],
        "old": [True, True, False, True, True, True],
    }
)
gain = pl.col("new").sum() - pl.col("old").sum()
signed = pl.col("new").cast(pl.Int64).sum() - pl.col("old").cast(pl.Int64).sum()
rows = answers.group_by("data set").agg(gain=gain, signed=signed).sort("gain", descending=True)
print(rows)
print("difference per image:", answers.select(gain / pl.len()).item())
assert rows["data set"].to_list() == ["fashion", "digits"] and rows["signed"].to_list() == [-2, 1]
assert rows["gain"].to_list() == [2**32 - 2, 1] and rows.schema["gain"] == pl.UInt32
EOF
