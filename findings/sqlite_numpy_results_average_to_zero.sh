#!/bin/sh
# Packages: numpy 2.4.6 (with the sqlite3 of Python)
# Expected: Counts and accuracies from numpy, inserted into columns INTEGER and REAL of SQLite, are numbers there.
# Seen: sqlite3 takes a np.int64 or np.float32 for a buffer and stores its bytes, without a message. avg() and sum()
#   over them are 0.0, and each row is greater than any number. Only np.float64, a Python float, is a number.
# For a user of this project: Convert with int(), float() or .item() before results go into SQLite. A mean of 0.0 looks
#   like a training that failed; a limit such as "accuracy > 0.95" keeps all rows.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6

cd "$folder"
"$venv/bin/python" - <<'EOF'
import sqlite3

import numpy as np

right = np.array([90, 92, 94])
accuracy = {
    "np.float32": (right / 100).astype(np.float32),
    "np.float64": right / 100,
    "Python": (right / 100).tolist(),
}
seen = {}
for name, values in accuracy.items():
    counts = right.tolist() if name == "Python" else right
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE results (seed INTEGER, right_answers INTEGER, accuracy REAL)")
    database.executemany("INSERT INTO results VALUES (?, ?, ?)", list(zip(range(3), counts, values)))
    query = "SELECT avg(right_answers), avg(accuracy) FROM results"
    above = "SELECT count(*) FROM results WHERE accuracy > 0.95"
    types = "SELECT typeof(right_answers), typeof(accuracy) FROM results LIMIT 1"
    seen[name] = *database.execute(query).fetchone(), database.execute(above).fetchone()[0]
    print(f"{name:>10}: mean count, mean accuracy, rows above 0.95: {seen[name]}", database.execute(types).fetchone())
assert seen["np.float32"] == (0, 0, 3)
assert seen["np.float64"][0] == 0 and abs(seen["np.float64"][1] - 0.92) < 1e-9 and seen["np.float64"][2] == 0
assert seen["Python"][0] == 92 and abs(seen["Python"][1] - 0.92) < 1e-9 and seen["Python"][2] == 0
EOF
