#!/bin/sh
# Packages: numpy 2.4.6, pyvips 3.2.0, pyvips-binary 8.18.7, tifffile 2026.3.3
# Expected: new_from_file reads the file that is there now.
# Seen: libvips keeps the results of its last operations, the opening of files among them, by name alone. A file that
#   was written again, by pyvips or by another package, comes back with its old pixels and size, without a message.
# For a user of this project: Pass revalidate=True, or write to new names, where images are corrected and read again in
#   one process (a notebook, a server of tiles); a check of the correction otherwise sees the old image.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pyvips==3.2.0 pyvips-binary==8.18.7 tifffile==2026.3.3

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import pyvips
import tifffile

writers = {
    "pyvips": lambda pixels: pyvips.Image.new_from_array(pixels).write_to_file("image.tif"),
    "tifffile": lambda pixels: tifffile.imwrite("image.tif", pixels),
}
seen = []
for writer, value, size in (("tifffile", 10, 64), ("tifffile", 200, 32), ("pyvips", 100, 16)):
    writers[writer](np.full((size, size), value, np.uint8))
    image = pyvips.Image.new_from_file("image.tif")
    seen.append((image.width, image.avg()))
    mean = float(tifffile.imread("image.tif").mean())
    print(f"{writer} wrote {size} pixels of {value}; mean by tifffile: {mean}, width and mean by pyvips: {seen[-1]}")
fresh = pyvips.Image.new_from_file("image.tif", revalidate=True)
print("width and mean with revalidate=True:", (fresh.width, fresh.avg()))
assert seen == [(64, 10)] * 3 and (fresh.width, fresh.avg()) == (16, 100)
EOF
