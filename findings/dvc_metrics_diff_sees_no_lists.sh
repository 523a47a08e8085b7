#!/bin/sh
# Packages: dvc 3.67.1
# Expected: dvc metrics diff shows every value of a metrics file that changed.
# Seen: Values in a list are left out without a word, so a curve that changed is no difference. A metric that turns
#   null vanishes from `dvc metrics show`, while the difference lists it.
# For a user of this project: Put one number under one name. An empty answer of `dvc metrics diff` does not say that
#   results are equal.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet dvc==3.67.1

cd "$folder"
PATH=$venv/bin:$PATH
git init --quiet
dvc init --quiet
printf 'metrics: [m.json]\n' >dvc.yaml
echo '{"auroc": 0.6, "curve": [0.1, 0.2], "by_seed": {"kappa": 0.7}}' >m.json
git add --all
git -c user.name=x -c user.email=x@example.org commit --quiet -m first
echo '{"auroc": 0.6, "curve": [0.8, 0.9], "by_seed": {"kappa": null}}' >m.json
dvc metrics show
[ "$(dvc metrics show --json | grep -c -e curve -e kappa)" -eq 0 ]
echo "diff: $(dvc metrics diff --json)"
[ "$(dvc metrics diff --json | grep -c curve)" -eq 0 ]
echo '{"auroc": 0.6, "curve": [0.8, 0.9], "by_seed": {"kappa": 0.7}}' >m.json
echo "diff of the list alone: $(dvc metrics diff --json)"
[ "$(dvc metrics diff --json)" = "{}" ]
