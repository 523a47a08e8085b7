#!/bin/sh
# Packages: snakemake 9.27.1
# Expected: While run A works in a folder, Snakemake refuses a second run of the same results.
# Seen: It does, until any other run ends: a run C of another result, even with nothing to do, removes the locks of
#   A when it ends. Then a second run of A's results starts beside A, and both end with status 0.
# For a user of this project: A lock of Snakemake alone does not keep two trainings of one result apart: one run in
#   a folder at a time.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet snakemake==9.27.1

cd "$folder"
PATH=$venv/bin:$PATH
cat >Snakefile <<'EOF'
rule slow:
    output: "slow.txt"
    shell: "echo started >>starts.txt; while [ ! -e go ]; do sleep 0.2; done; echo done >{output}"
rule quick:
    output: "quick.txt"
    shell: "touch {output}"
EOF
snakemake --cores 1 quick.txt >log.txt 2>&1
snakemake --cores 1 slow.txt >a.txt 2>&1 &
a=$!
while [ ! -e starts.txt ]; do sleep 0.2; done
status=0
snakemake --cores 1 slow.txt >b.txt 2>&1 || status=$?
echo "B, the same result beside A: status $status"
[ "$status" -ne 0 ] && grep -q "cannot be locked" b.txt
snakemake --cores 1 quick.txt >c.txt 2>&1
grep -o "Nothing to be done" c.txt
snakemake --cores 1 slow.txt >d.txt 2>&1 &
d=$!
tries=0
while [ "$(wc -l <starts.txt)" -lt 2 ] && [ $tries -lt 300 ]; do
    sleep 0.2
    tries=$((tries + 1))
done
touch go
wait $a
wait $d
echo "trainings that ran at the same time: $(wc -l <starts.txt)"
[ "$(wc -l <starts.txt)" -eq 2 ]
