#!/bin/sh
# Packages: imagehash 4.3.2, numpy 2.4.6, pillow 13.0.0
# Expected: Perceptual hashes of two unlike 16-bit pictures differ, as those of the same pictures in 8 bits do.
# Seen: phash, dhash, average_hash and whash of any two 16-bit grey pictures without pixels below 256 are equal: the
#   pictures are all white to them.
# For a user of this project: Tools that look for duplicates with these hashes call every pair of microscope images
#   duplicates. vi-simsiam compares features.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet imagehash==4.3.2 numpy==2.4.6 pillow==13.0.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import imagehash
import numpy as np
from PIL import Image

y, x = np.mgrid[:64, :64]
pictures = [np.sin(x / 9), np.cos(x * y / 200)]
for name, scale in (("8 bits", 100), ("16 bits", 25_000)):
    kind = np.uint8 if scale < 256 else np.uint16
    a, b = (Image.fromarray((scale * (1.2 + picture)).astype(kind)) for picture in pictures)
    distances = {
        method.__name__: int(method(a) - method(b))
        for method in (imagehash.phash, imagehash.dhash, imagehash.average_hash, imagehash.whash)
    }
    print(name, a.mode, distances)
    assert all(distance == 0 for distance in distances.values()) == (scale > 256)
    assert scale > 256 or min(distances.values()) > 10
EOF
