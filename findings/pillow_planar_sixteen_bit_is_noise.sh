#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, tifffile 2026.3.3
# Expected: Pillow reads a 16-bit colour TIFF whose channels lie one after the other, or refuses it.
# Seen: Uncompressed, it opens as RGB of the right size and its pixels are wrong: low and high bytes are taken for
#   two pixels. The same picture with zlib compression, with 8 bits or with interleaved channels is right.
# For a user of this project: tifffile writes this form for arrays (3, height, width), as microscopes' stacks are.
#   Read such files with tifffile, or compress them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import tifffile
from PIL import Image

y, x = np.mgrid[:64, :64]
rgb = np.stack([x * 4, y * 4, (x + y) * 2], axis=-1).astype(np.uint16) * 257
wrong = {}
for planes in ("separate", "contig"):
    for compression in (None, "zlib"):
        pixels = rgb.transpose(2, 0, 1) if planes == "separate" else rgb
        tifffile.imwrite("x.tif", pixels, photometric="rgb", planarconfig=planes, compression=compression)
        image = Image.open("x.tif")
        wrong[planes, compression] = float(np.mean(np.asarray(image) != rgb >> 8))
        print(planes, compression, image.mode, image.size, f"share of wrong values: {wrong[planes, compression]:.2f}")
assert wrong.pop(("separate", None)) > 0.9 and not any(wrong.values())
EOF
