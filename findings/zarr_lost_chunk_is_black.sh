#!/bin/sh
# Packages: numpy 2.4.6, zarr 3.1.6
# Expected: A zarr array with a lost file (a copy cut short, a file that was not uploaded) gives an error on reading.
# Seen: It reads as zeros, without a message: chunks of zeros are never written, so a lost one looks like a black one.
# For a user of this project: Count the files of chunks against .nchunks, or keep checksums beside an array. A feature
#   of zeros has a finite distance to all others, and an image of zeros a certainty.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 zarr==3.1.6

cd "$folder"
"$venv/bin/python" - <<'EOF'
import pathlib

import numpy as np
import zarr

images = np.full((10, 64, 64), 7, np.uint8)
images[9] = 0  # a black image is not stored
array = zarr.create_array("images.zarr", shape=images.shape, chunks=(1, 64, 64), dtype="uint8")
array[:] = images
files = sorted(path for path in pathlib.Path("images.zarr/c").rglob("*") if path.is_file())
files[3].unlink()
read = zarr.open_array("images.zarr", mode="r")
print("chunks:", read.nchunks, "files at first:", len(files), "mean of each image:", read[:].mean((1, 2)))
assert len(files) == 9 and read[:].mean((1, 2)).tolist() == [7, 7, 7, 0, 7, 7, 7, 7, 7, 0]
EOF
