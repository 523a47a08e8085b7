#!/bin/sh
# Packages: czifile 2019.7.2.3, numpy 2.4.6, pylibCZIrw 6.1.0
# Expected: pylibCZIrw, the reader and writer of the maker of the format, gives and takes red, green and blue; its
#   help says "(m,n,3) for rgb planes".
# Seen: It gives and takes blue, green, red, the order in the file. A pink that it wrote is violet to czifile, which
#   gives red first; with one reader for both ways nobody sees it.
# For a user of this project: Reverse the last axis of what pylibCZIrw reads (image[..., ::-1]) and writes. Stained
#   slides are otherwise blue where they are red, and an encoder sees colours that it was not trained on.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet czifile==2019.7.2.3 numpy==2.4.6 pylibCZIrw==6.1.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import czifile
import numpy as np
from pylibCZIrw import czi

pink = np.zeros((64, 96, 3), np.uint8)
pink[:] = 220, 120, 180
with czi.create_czi("slide.czi") as file:
    file.write(pink)
with czi.open_czi("slide.czi") as file:
    kind, own = file.pixel_types, file.read()[0, 0].tolist()
other = czifile.imread("slide.czi").squeeze()[0, 0].tolist()
print("written as red, green, blue:", pink[0, 0].tolist(), "pixel type in the file:", kind)
print("read by pylibCZIrw:", own, "by czifile:", other)
assert kind == {0: "Bgr24"} and own == [220, 120, 180] and other == [180, 120, 220]
EOF
