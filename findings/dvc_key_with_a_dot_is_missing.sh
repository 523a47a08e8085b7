#!/bin/sh
# Packages: dvc 3.67.1
# Expected: A stage can depend on a parameter that dvc params diff lists by its name.
# Seen: A key that holds a dot (recipes: {v1.5: {lr: ...}}) is listed as recipes.v1.5.lr, but a stage that names it
#   so finds no such parameter: dvc repro ends with an error.
# For a user of this project: Names of recipes, data sets and models without dots: resnet50_a1, not resnet50.a1,
#   wherever DVC must see them.
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
    params: [recipes.v1.5.lr]
    outs: [out.txt]
EOF
echo 'recipes: {v1.5: {lr: 1}}' >params.yaml
git add --all
git -c user.name=x -c user.email=x@example.org commit --quiet -m first
dvc params diff --all
dvc params diff --all | grep -q "recipes.v1.5.lr"
status=0
dvc repro >log.txt 2>&1 || status=$?
tail -n 1 log.txt
[ "$status" -ne 0 ]
