#!/bin/sh
# Packages: cleanvision 0.3.7, numpy 2.4.6, pillow 13.0.0
# Expected: cleanvision gives an image of 16 bits the issues of the same image in 8 bits.
# Seen: It divides by 255 at every depth. An image whose pixels are at most 6 % of full scale is dark in 8 bits and
#   has a darkness score above 1, never an issue, in 16; noise over the whole range is "light". Neither counts as a
#   grey image.
# For a user of this project: Scale 16-bit images to 8 bits before cleanvision; without it a dark exposure is not
#   found.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet cleanvision==0.3.7 numpy==2.4.6 pillow==13.0.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import pathlib

import numpy as np
from cleanvision import Imagelab
from PIL import Image

random = np.random.default_rng(0)
pathlib.Path("images").mkdir()
for name, highest in (("dark", 15), ("full", 255)):
    pixels = random.integers(0, highest + 1, (64, 64))
    Image.fromarray(pixels.astype(np.uint8)).save(f"images/{name}_8.png")
    Image.fromarray((pixels * 257).astype(np.uint16)).save(f"images/{name}_16.png")
lab = Imagelab(data_path="images")
lab.find_issues({"dark": {}, "light": {}, "grayscale": {}}, verbose=False)
issues = lab.issues.rename(index=lambda path: pathlib.Path(path).stem)
found = {kind: sorted(issues.index[issues[f"is_{kind}_issue"]]) for kind in ("dark", "light", "grayscale")}
print("issues:", found, "score of darkness:", issues["dark_score"].round(3).to_dict())
assert found == {"dark": ["dark_8"], "light": ["full_16"], "grayscale": ["dark_8", "full_8"]}
assert issues["dark_score"]["dark_16"] > 10
EOF
