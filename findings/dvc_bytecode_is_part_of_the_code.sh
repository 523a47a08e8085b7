#!/bin/sh
# Packages: dvc 3.67.1
# Expected: A stage that depends on a folder of code is up to date in a fresh clone of the same commit.
# Seen: DVC counts the bytecode that Python writes into __pycache__ during the run as part of the folder, whether git
#   ignores it or not. Without these files (a clone, another version of Python) the stage has changed and runs again.
# For a user of this project: The line __pycache__ in .dvcignore prevents this here; other pipelines need it too.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet dvc==3.67.1

cd "$folder"
PATH=$venv/bin:$PATH
unset PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
mkdir -p first/src
cd first
git init --quiet
dvc init --quiet
echo '__pycache__/' >.gitignore
echo 'x = 1' >src/library.py
printf 'import library\nopen("out.txt", "w").write(str(library.x))\n' >src/run.py
cat >dvc.yaml <<'EOF'
stages:
  run:
    cmd: python src/run.py
    deps: [src]
    outs: [out.txt]
EOF
dvc repro --quiet
grep nfiles dvc.lock
grep -q "nfiles: 3" dvc.lock
dvc status
dvc status | grep -q "up to date"
git add --all
git -c user.name=x -c user.email=x@example.org commit --quiet -m first
git clone --quiet . ../second
diff -r --exclude=__pycache__ src ../second/src
cd ../second
echo "in the clone:"
dvc status
dvc status | grep -q "modified: *src"
echo '__pycache__/' >../first/.dvcignore
cd ../first
dvc repro --quiet
grep -q "nfiles: 2" dvc.lock
