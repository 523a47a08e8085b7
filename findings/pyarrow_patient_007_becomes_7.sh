#!/bin/sh
# Packages: pandas 3.1.1, pyarrow 26.0.1
# Expected: A table written by to_parquet(partition_cols=["patient"]) gives the patients back as the texts they were.
# Seen: Texts of digits come back as numbers: "007" is 7. After a conversion to text a left join by patient finds no
#   row and says nothing. pyarrow merges the patients "007" and "07" into one; pandas ends with an error there.
# For a user of this project: Give the type when such tables are read, as pyarrow.dataset.partitioning(SCHEMA,
#   flavor="hive"), or put a letter before the number. Scores otherwise miss their patient, or get that of another.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet pandas==3.1.1 pyarrow==26.0.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import pandas as pd
import pyarrow as pa
import pyarrow.dataset

ages = pd.DataFrame({"patient": ["007", "012"], "age": [40, 60]})
ages.to_parquet("ages", partition_cols=["patient"])
read = pd.read_parquet("ages")
print("patients, written:", ages["patient"].tolist(), "read:", read["patient"].tolist())
assert read["patient"].tolist() == [7, 12]
read["patient"] = read["patient"].astype(str)
scores = pd.DataFrame({"patient": ["007", "012"], "certainty": [0.9, 0.1]})
joined = scores.merge(read, on="patient", how="left")
print(joined)
assert joined["age"].isna().all()

pd.DataFrame({"patient": ["007", "07"], "certainty": [0.9, 0.1]}).to_parquet("two", partition_cols=["patient"])
typed = pa.dataset.partitioning(pa.schema([("patient", pa.string())]), flavor="hive")
seen = {}
for name, partitioning in (("default", "hive"), ("type given", typed)):
    table = pa.dataset.dataset("two", partitioning=partitioning).to_table()
    means = table.group_by("patient").aggregate([("certainty", "mean")]).to_pydict()
    seen[name] = dict(zip(means["patient"], means["certainty_mean"], strict=True))
    print("mean certainty of each patient,", name, seen[name])
assert seen == {"default": {7: 0.5}, "type given": {"007": 0.9, "07": 0.1}}
EOF
