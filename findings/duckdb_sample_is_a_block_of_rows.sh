#!/bin/sh
# Packages: duckdb 2.0.1
# Expected: SELECT ... USING SAMPLE 10% draws one row in ten.
# Seen: It draws blocks of 2,048 rows that lie together. Of 10,000 images in the order of their ten classes it gives 0
#   to 8,000, of two or three classes; of 2,000 it gives all or none. No message.
# For a user of this project: Write USING SAMPLE 10% (bernoulli), or sample a number of rows. A tenth of a table of
#   scores is otherwise a few patients or classes, and measures on it differ without a reason.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet duckdb==2.0.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import duckdb

database = duckdb.connect()
database.execute("SET threads = 1")
database.execute("CREATE TABLE images AS SELECT i AS image, i // 1000 AS class FROM range(10000) AS rows(i)")


def draw(sample, table="images"):
    """Return the number of rows and of classes in 40 samples."""
    query = f"SELECT count(*), count(DISTINCT class) FROM (SELECT * FROM {table} USING SAMPLE {sample})"
    return [database.execute(query).fetchall()[0] for _ in range(40)]


database.execute("CREATE TABLE few AS SELECT * FROM images WHERE image % 5 = 0")
blocks, rows = draw("10%"), draw("10% (bernoulli)")
few = {count for count, _ in draw("10%", "few")}
print("rows in samples of 10% of 2,000:", few)
assert few == {0, 2000}
print("rows and classes in samples of 10%:", blocks[:8])
print("with bernoulli:", rows[:8])
last = 10_000 % 2048
assert all(count % 2048 in (0, last) for count, _ in blocks) and any(count == 0 for count, _ in blocks)
assert all(classes < 10 for count, classes in blocks if count <= 4096)
assert all(800 < count < 1200 and classes == 10 for count, classes in rows)
EOF
