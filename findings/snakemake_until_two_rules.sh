#!/bin/sh
# Packages: snakemake 9.27.1
# Expected: --until with two rules makes the files of both, and what these need.
# Seen: Where one of the rules needs the other, both jobs are counted, but the run ends with status 1 after the first:
#   "BUG: Out of jobs ready to be started". So does a dry run. The same command, given once more, makes the second.
# For a user of this project: Name the last step alone: --until uncertainty makes its probes too.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet snakemake==9.27.1

cd "$folder"
PATH=$venv/bin:$PATH
cat >Snakefile <<'EOF'
rule plot:
    input: "probe.txt"
    output: "plot.txt"
    shell: "touch {output}"
rule probe:
    input: "model.txt"
    output: "probe.txt"
    shell: "touch {output}"
rule pretrain:
    output: "model.txt"
    shell: "touch {output}"
EOF
status=0
snakemake --cores 1 --until pretrain probe >log.txt 2>&1 || status=$?
echo "jobs counted: $(grep -oE '^total +[0-9]+' log.txt | grep -oE '[0-9]+')"
grep -qE '^total +2' log.txt
echo "first run: status $status, $(ls ./*.txt | grep -cE 'model|probe') of 2 files; $(grep -o 'BUG: Out of jobs' log.txt)"
[ "$status" = 1 ] && [ -f model.txt ] && [ ! -f probe.txt ]
snakemake --cores 1 --until pretrain probe >log.txt 2>&1
[ -f probe.txt ] && [ ! -f plot.txt ]
rm model.txt probe.txt
snakemake --cores 1 --until probe >log.txt 2>&1
echo "--until probe alone: $(ls model.txt probe.txt | tr '\n' ' ')"
