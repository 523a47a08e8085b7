#!/bin/sh
# Packages: snakemake 9.27.1, dvc 3.67.1
# Expected: Snakemake's configfile and DVC read the same values from one params.yaml.
# Seen: Snakemake reads YAML 1.1 and DVC 1.2: 1e-3 is a text to one and a number to the other, 010 is 8 and 10, 1:30
#   is 90 and a text, no is false and a text.
# For a user of this project: Write 1.0e-3, true, false and quoted texts in params.yaml; both then agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet snakemake==9.27.1 dvc==3.67.1

cd "$folder"
PATH=$venv/bin:$PATH
git init --quiet
dvc init --quiet
printf 'lr: 1e-3\noctal: 010\ntime: 1:30\nanswer: no\n' >params.yaml
cat >Snakefile <<'EOF'
import json
configfile: "params.yaml"
print("CONFIG", json.dumps(config, sort_keys=True))
rule a:
    output: "a.txt"
    shell: "touch {output}"
EOF
snakemake --dry-run >log.txt 2>&1
grep "^CONFIG" log.txt
[ "$(grep "^CONFIG" log.txt)" = 'CONFIG {"answer": false, "lr": "1e-3", "octal": 8, "time": 90}' ]
cat >dvc.yaml <<'EOF'
stages:
  a:
    cmd: echo a >a.txt
    params: [lr, octal, time, answer]
    outs: [a.txt]
EOF
dvc repro --quiet
grep -A 5 "params.yaml" dvc.lock
for line in "lr: 0.001" "octal: 10" "time: 1:30"; do grep -q "$line" dvc.lock; done
grep -Eq "answer: '?no'?$" dvc.lock
