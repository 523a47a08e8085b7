#!/bin/sh
# Packages: optuna 5.0.0
# Expected: create_study(direction="maximize", load_if_exists=True) maximises, or says that the stored study
#   minimises.
# Seen: It gives the stored study and passes over the direction. Where the first call named none (the default is to
#   minimise), best_value is the lowest accuracy of all trials, and later trials are drawn near it.
# For a user of this project: Check study.direction after each load. A search that was begun without a direction
#   otherwise chooses the parameters with the worst result, and searches on beside them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet optuna==5.0.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)  # "Using an existing study" is a message of level INFO


def accuracy(trial):
    """Return an accuracy that is highest, 0.9, at a rate of 0.1."""
    return 0.9 - abs(trial.suggest_float("rate", 0, 1) - 0.1)


store = {"storage": "sqlite:///search.db", "study_name": "encoder", "load_if_exists": True}
optuna.create_study(**store, sampler=optuna.samplers.RandomSampler(0)).optimize(accuracy, n_trials=20)
study = optuna.create_study(**store, direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(accuracy, n_trials=60)
values = [trial.value for trial in study.trials]
near_worst = sum(trial.params["rate"] > 0.9 for trial in study.trials[20:])
print("direction:", study.direction.name, "best value:", study.best_value, "range:", min(values), max(values))
print("of 60 trials of a search that should maximise, beside the worst rate:", near_worst)
assert study.direction.name == "MINIMIZE" and study.best_value == min(values) < 0.01 and max(values) > 0.8
assert near_worst > 30
EOF
