#!/bin/sh
# Packages: numpy 2.4.6, pandas 3.1.1, scikit-posthocs 0.17.1
# Expected: posthoc_wilcoxon on a long table of methods, seeds and accuracies compares the methods seed by seed.
# Seen: It takes no column of seeds: the first row of one method meets the first row of the other. A table whose rows
#   are in the order in which jobs ended has other p-values: .004 in the order of seeds, .6 to .9 in others.
# For a user of this project: Sort by seed, with the same seeds for all methods, before this test. A difference that
#   all seeds share is otherwise lost, without a message.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pandas==3.1.1 scikit-posthocs==0.17.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import pandas as pd
import scikit_posthocs

generator = np.random.default_rng(0)
old = generator.normal(0.8, 0.1, 10)
new = old + 0.01 + generator.normal(0, 0.005, 10)
table = pd.DataFrame(
    {"method": ["new"] * 10 + ["old"] * 10, "seed": [*range(10)] * 2, "accuracy": np.concatenate([new, old])}
)


def p_value(rows):
    return float(scikit_posthocs.posthoc_wilcoxon(rows, val_col="accuracy", group_col="method").loc["new", "old"])


shuffled = [table.sample(frac=1, random_state=seed) for seed in range(4)]
print("p-value, in the order of seeds:", p_value(table))
others = [p_value(rows) for rows in shuffled]
print("the same rows in four other orders:", others)
again = [p_value(rows.sort_values("seed")) for rows in shuffled]
print("sorted by seed again:", again)
assert p_value(table) < 0.01 and min(others) > 0.5 and set(again) == {p_value(table)}
EOF
