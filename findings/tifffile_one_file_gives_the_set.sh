#!/bin/sh
# Packages: numpy 2.4.6, tifffile 2026.3.3
# Expected: imread("c0.ome.tif") reads the one channel that the file holds.
# Seen: Where its OME-XML names the files of the other channels, as microscopes write it, any one of them gives all:
#   three files read one by one are three equal images of three channels. Where one was moved away its channel is 0.
# For a user of this project: Pass is_ome=False, or read one file of each set. Otherwise a folder of files becomes a
#   data set of copies, on both sides of a split.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 tifffile==2026.3.3

cd "$folder"
"$venv/bin/python" - <<'EOF'
import logging
import os

import numpy as np
import tifffile

logging.disable()  # of a moved file it writes "Missing data are zeroed"
numbers = [f"0000000{channel}-0000-4000-8000-000000000000" for channel in range(3)]
channels = "".join(f'<Channel ID="Channel:0:{channel}" SamplesPerPixel="1"/>' for channel in range(3))
places = "".join(
    f'<TiffData FirstC="{channel}" FirstZ="0" FirstT="0" IFD="0" PlaneCount="1">'
    f'<UUID FileName="c{channel}.ome.tif">urn:uuid:{number}</UUID></TiffData>'
    for channel, number in enumerate(numbers)
)
for channel, number in enumerate(numbers):
    description = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="urn:uuid:{number}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
        f'SizeX="4" SizeY="4" SizeZ="1" SizeC="3" SizeT="1">{channels}{places}</Pixels></Image></OME>'
    )
    pixels = np.full((4, 4), 50 + channel, np.uint8)
    tifffile.imwrite(f"c{channel}.ome.tif", pixels, description=description, metadata=None, photometric="minisblack")
for channel in range(3):
    image = tifffile.imread(f"c{channel}.ome.tif")
    alone = tifffile.imread(f"c{channel}.ome.tif", is_ome=False)
    print(f"c{channel}.ome.tif:", image.shape, image[:, 0, 0], "with is_ome=False:", alone.shape, alone[0, 0])
    assert image.shape == (3, 4, 4) and image[:, 0, 0].tolist() == [50, 51, 52]
    assert alone.shape == (4, 4) and np.all(alone == 50 + channel)
os.rename("c1.ome.tif", "elsewhere.tif")
image = tifffile.imread("c0.ome.tif")
print("without c1.ome.tif:", image.shape, image[:, 0, 0])
assert image[:, 0, 0].tolist() == [50, 0, 52]
EOF
