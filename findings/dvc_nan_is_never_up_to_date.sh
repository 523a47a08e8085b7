#!/bin/sh
# Packages: dvc 3.67.1
# Expected: A stage whose parameter is .nan is up to date after dvc repro.
# Seen: dvc status lists the parameter as modified for ever, right after dvc repro too; a second dvc repro finds the
#   result in the run cache and leaves the status as it was.
# For a user of this project: Write null for 'no value': with .nan neither `dvc status` nor a check built on it can
#   be clean.
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
cat >dvc.yaml <<'EOF'
stages:
  train:
    cmd: cp params.yaml out.txt
    params: [threshold]
    outs: [out.txt]
EOF
echo 'threshold: .nan' >params.yaml
dvc repro --quiet
dvc status
dvc status | grep -q "modified: *threshold"
dvc repro | grep -o "is cached"
dvc status | grep -q "modified: *threshold"
echo 'threshold: null' >params.yaml
dvc repro --quiet
[ "$(dvc status)" = "Data and pipelines are up to date." ]
