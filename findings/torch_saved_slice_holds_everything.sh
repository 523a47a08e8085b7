#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: torch.save(features[:10], file) writes ten rows.
# Seen: It writes the whole storage behind the slice: 6.4 MB in place of 640 bytes, and all 100,000 rows come back
#   with torch.load. A clone() writes ten rows.
# For a user of this project: Save slices with .clone(). A file with the features of one patient otherwise holds those
#   of all.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import os

import torch

features = torch.arange(1_600_000, dtype=torch.float32).reshape(100_000, 16)
torch.save(features[:10], "slice.pt")
torch.save(features[:10].clone(), "clone.pt")
loaded = torch.load("slice.pt")
everything = torch.empty(0).set_(loaded.untyped_storage())
print("bytes of a slice and of its clone:", os.path.getsize("slice.pt"), os.path.getsize("clone.pt"))
print("rows loaded:", len(loaded), "rows in the file:", len(everything) // 16)
assert os.path.getsize("slice.pt") > 6_400_000 and os.path.getsize("clone.pt") < 5_000
assert loaded.shape == (10, 16) and torch.equal(everything.reshape(-1, 16), features)
EOF
