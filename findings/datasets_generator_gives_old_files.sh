#!/bin/sh
# Packages: datasets 5.2.0
# Expected: Dataset.from_generator(read, gen_kwargs={"folder": "images"}) reads the folder, each time it is called.
# Seen: It reads it once for each function and its arguments. In every later run, also after files were added or
#   corrected, the rows of the first run come from the cache in the home folder, without a message.
# For a user of this project: Pass the sizes and times of the files in gen_kwargs too, or remove the cache: corrected
#   labels and new images otherwise never reach the training.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet datasets==5.2.0

cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
cat >run.py <<'EOF'
import pathlib

from datasets import Dataset


def read(folder):
    for file in sorted(pathlib.Path(folder).iterdir()):
        yield {"name": file.name, "label": file.read_text()}


rows = Dataset.from_generator(read, gen_kwargs={"folder": "labels"})
print(dict(zip(rows["name"], rows["label"], strict=True)))
EOF
mkdir labels
echo -n cat >labels/1.txt
echo -n dog >labels/2.txt
first=$("$venv/bin/python" run.py)
echo "first run: $first"
echo -n horse >labels/2.txt
echo -n ship >labels/3.txt
second=$("$venv/bin/python" run.py)
echo "second run, after one label was corrected and one added: $second"
[ "$second" = "{'1.txt': 'cat', '2.txt': 'dog'}" ]
rm -r home
third=$("$venv/bin/python" run.py)
echo "without the cache: $third"
[ "$third" = "{'1.txt': 'cat', '2.txt': 'horse', '3.txt': 'ship'}" ]
