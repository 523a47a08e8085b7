#!/bin/sh
# Packages: snakemake 9.27.1
# Expected: Snakemake reruns a job when the values of its params change.
# Seen: It compares the values as a set, without names: low=1, high=2 becomes low=2, high=1 and nothing is rerun.
#   Two other values are seen.
# For a user of this project: Pass parameters as one JSON text, as this project's rules do; two params of a rule can
#   otherwise trade places unseen.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet snakemake==9.27.1

cd "$folder"
PATH=$venv/bin:$PATH
cat >Snakefile <<'EOF'
rule a:
    params: low=config["low"], high=config["high"]
    output: "a.txt"
    shell: "echo low {params.low} high {params.high} >{output}"
EOF
snakemake --cores 1 --config low=1 high=2 >log.txt 2>&1
snakemake --cores 1 --config low=2 high=1 >swapped.txt 2>&1
echo "swapped: $(grep -o 'Nothing to be done' swapped.txt); result: $(cat a.txt)"
[ "$(cat a.txt)" = "low 1 high 2" ]
snakemake --cores 1 --config low=2 high=3 >changed.txt 2>&1
echo "changed: $(cat a.txt)"
[ "$(cat a.txt)" = "low 2 high 3" ]
