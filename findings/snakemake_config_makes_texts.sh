#!/bin/sh
# Packages: snakemake 9.27.1
# Expected: `--config` reads values as YAML does, so false, null and numbers in a list arrive as such.
# Seen: false and null become the texts 'false' and 'null', which are true in Python; True does become a boolean.
#   Everything inside a list or a mapping is text, numbers too. 010 becomes 10.
# For a user of this project: Parameters from --config are checked and converted before use here; rules that read
#   `config` themselves need the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet snakemake==9.27.1

cd "$folder"
PATH=$venv/bin:$PATH
cat >Snakefile <<'EOF'
import json
print("CONFIG", json.dumps(config, sort_keys=True))
rule a:
    output: "a.txt"
    shell: "touch {output}"
EOF
snakemake --dry-run --config off=false none=null yes=True list='[1, 2.5, false]' map='{x: 1}' oct=010 lr=1e-3 \
    >log.txt 2>&1
seen=$(grep "^CONFIG" log.txt)
echo "$seen"
expected='"list": ["1", "2.5", "false"], "lr": 0.001, "map": {"x": "1"}, "none": "null", "oct": 10, "off": "false", "yes": true'
[ "$seen" = "CONFIG {$expected}" ]
