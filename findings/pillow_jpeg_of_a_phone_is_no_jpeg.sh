#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0
# Expected: Image.open(file, formats=['JPEG']) opens JPEG files only, and their `format` is 'JPEG'.
# Seen: A JPEG with a second picture inside, as phones write it for depth, gain maps or previews, passes the filter
#   and its format is 'MPO', its type image/mpo. It has two frames of different sizes.
# For a user of this project: A check for format == 'JPEG' drops the photographs of phones and keeps those that were
#   edited. Loops over frames meet the small second picture.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from PIL import Image

photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8))
photo.save("plain.jpg")
photo.save("phone.jpg", format="MPO", save_all=True, append_images=[photo.resize((24, 16))])
seen = {}
for name in ("plain.jpg", "phone.jpg"):
    image = Image.open(name, formats=["JPEG"])
    seen[name] = image.format, image.get_format_mimetype(), getattr(image, "n_frames", 1), image.size
    print(name, *seen[name])
image.seek(1)
print("second frame of phone.jpg", image.size)
assert seen["plain.jpg"][:3] == ("JPEG", "image/jpeg", 1) and seen["phone.jpg"][:3] == ("MPO", "image/mpo", 2)
assert image.size == (24, 16)
EOF
