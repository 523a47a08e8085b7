#!/bin/sh
# Packages: mlflow 3.17.2, numpy 2.4.6
# Expected: The metrics of a run show what was logged last.
# Seen: They show what has the highest step. A value without a step has step 0: the final accuracy, logged after the
#   epochs, is in the history and never in the table, in search_runs or in comparisons. A run resumed from an earlier
#   step shows the values that it threw away.
# For a user of this project: Log final values under a name of their own, or with a step above all others. Tables of
#   runs otherwise compare the last epochs.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet mlflow==3.17.2 numpy==2.4.6

cd "$folder"
"$venv/bin/python" - <<'EOF'
import logging

import mlflow

logging.disable(logging.INFO)  # the making of the database
mlflow.set_tracking_uri("sqlite:///runs.db")
with mlflow.start_run() as run:
    for epoch, accuracy in enumerate((0.70, 0.80, 0.91, 0.60)):
        mlflow.log_metric("accuracy", accuracy, step=epoch)
    mlflow.log_metric("accuracy", 0.91)  # the weights of epoch 2 were loaded again
shown = mlflow.get_run(run.info.run_id).data.metrics["accuracy"]
table = float(mlflow.search_runs(search_all_experiments=True)["metrics.accuracy"].iloc[0])
found = len(mlflow.search_runs(filter_string="metrics.accuracy > 0.9", search_all_experiments=True))
history = [(m.step, m.value) for m in mlflow.MlflowClient().get_metric_history(run.info.run_id, "accuracy")]
print("shown:", shown, "in the table:", table, "runs above 0.9:", found, "history:", history)
assert shown == table == 0.6 and found == 0 and (0, 0.91) in history
EOF
