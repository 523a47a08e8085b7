#!/bin/sh
# Packages: dvc 3.67.1, snakemake 9.27.1
# Expected: "python train.py | tee log.txt" as the command of a stage fails where the training fails, as it does in
#   Snakemake.
# Seen: Snakemake runs commands with pipefail and removes the output. DVC takes the exit code of tee: a training that
#   dies in its second epoch counts as done, its half model goes into the cache, and dvc status has nothing to do.
# For a user of this project: Redirect with > in stages of DVC, or write "set -o pipefail" into a script for bash. A
#   command moved from the Snakefile to dvc.yaml otherwise loses its check.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet dvc==3.67.1 snakemake==9.27.1

cd "$folder"
PATH=$venv/bin:$PATH
git init --quiet
dvc init --quiet
cat >train.py <<'EOF'
import pathlib

for epoch in range(3):
    pathlib.Path("model.txt").write_text(f"epoch {epoch}")
    if epoch == 1:
        raise SystemExit("the disk is full")
EOF
cat >dvc.yaml <<'EOF'
stages:
  train:
    cmd: python train.py 2>&1 | tee log.txt
    deps: [train.py]
    outs: [model.txt]
EOF
cat >Snakefile <<'EOF'
rule train:
    input: "train.py"
    output: "model.txt"
    shell: "python train.py 2>&1 | tee log.txt"
EOF
code=0
snakemake --cores 1 train >snakemake.txt 2>&1 || code=$?
echo "snakemake: exit code $code, model: $(cat model.txt 2>/dev/null || echo none)"
[ "$code" -ne 0 ] && [ ! -e model.txt ]
dvc repro --quiet
echo "dvc: exit code 0, model: $(cat model.txt), log: $(cat log.txt)"
echo "dvc status: $(dvc status)"
[ "$(dvc status)" = "Data and pipelines are up to date." ] && [ "$(cat model.txt)" = "epoch 1" ]
