#!/bin/sh
# Packages: numpy 2.4.6, pandas 3.1.1
# Expected: to_json writes small numbers so that they can be read back, as to_csv and Python's json do.
# Seen: It writes ten digits after the point. A p-value of 3.2e-12 becomes 0, 1.23456789e-7 becomes 1.235e-7. No
#   message.
# For a user of this project: Pass double_precision=15, or write CSV or Parquet. A p-value of 0 is otherwise
#   multiplied by the number of claims and stays 0, and a logarithm of it is infinite.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pandas==3.1.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import io
import json

import numpy as np
import pandas as pd

table = pd.DataFrame({"p": [3.2e-12, 1.23456789e-7, 0.04]})
seen = {
    "to_json": pd.read_json(io.StringIO(table.to_json()))["p"].tolist(),
    "to_json, double_precision=15": pd.read_json(io.StringIO(table.to_json(double_precision=15)))["p"].tolist(),
    "json": json.loads(json.dumps(table["p"].tolist())),
    "to_csv": pd.read_csv(io.StringIO(table.to_csv(index=False)))["p"].tolist(),
}
for name, values in seen.items():
    print(f"{name}: {values}")
assert np.allclose(seen["to_json"], [0, 1.235e-7, 0.04], rtol=1e-12, atol=0)
assert all(np.allclose(values, table["p"], rtol=1e-12, atol=0) for name, values in seen.items() if name != "to_json")
EOF
