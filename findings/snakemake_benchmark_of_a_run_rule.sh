#!/bin/sh
# Packages: snakemake 9.27.1
# Expected: The benchmark file of a rule holds the memory and the processor time of that job, whether it has
#   `shell:` or `run:`.
# Seen: With `run:` it holds those of Snakemake's own process: an empty job counts more than a second of processor
#   time in a few hundredths of a second, and tens of MB. With `shell:` the empty job has 0.
# For a user of this project: Figures of time and memory from benchmark files compare only between rules with
#   `shell:`, which all steps here have.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet snakemake==9.27.1

cd "$folder"
PATH=$venv/bin:$PATH
cat >Snakefile <<'EOF'
rule by_run:
    output: "run.txt"
    benchmark: "run.tsv"
    run:
        open(output[0], "w").close()
rule by_shell:
    output: "shell.txt"
    benchmark: "shell.tsv"
    shell: "touch {output}"
EOF
snakemake --cores 1 run.txt shell.txt >log.txt 2>&1
for kind in run shell; do
    tail -n 1 $kind.tsv | awk -v kind=$kind '{print kind ": seconds", $1, "max_rss", $3, "cpu_time", $10}'
done
tail -n 1 run.tsv | awk '{exit !($10 > 10 * $1 && $10 > 0.5 && $3 > 20)}'
tail -n 1 shell.tsv | awk '{exit !($10 < 0.5)}'
