#!/bin/sh
# Packages: dvc 3.67.1
# Expected: dvc status sees a parameter that changes from 1 to true, or from false to 0: another type, another
#   meaning.
# Seen: Values are compared as Python compares them: 1, 1.0 and true are equal, so are 0 and false, and the stage
#   counts as up to date. 1 to '1' is seen.
# For a user of this project: A flag that becomes a number (epochs: true, warmup: false) leaves old results current.
#   Check types while parameters are read.
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
    params: [epochs, warmup]
    outs: [out.txt]
EOF
printf 'epochs: 1\nwarmup: false\n' >params.yaml
dvc repro --quiet
for epochs in true 1.0; do
    printf 'epochs: %s\nwarmup: 0\n' $epochs >params.yaml
    echo "epochs $epochs, warmup 0: $(dvc status)"
    [ "$(dvc status)" = "Data and pipelines are up to date." ]
done
printf "epochs: '1'\nwarmup: false\n" >params.yaml
dvc status
dvc status | grep -q "modified: *epochs"
