#!/bin/sh
# Packages: numpy 2.4.6, openslide-bin 4.0.1.2, openslide-python 1.4.7, tifffile 2026.3.3
# Expected: On slides with levels of 1/1, 1/4 and 1/16, get_best_level_for_downsample(4) is level 1.
# Seen: Only where both sizes are multiples of 4. A level has whole pixels, so that of 4,095 x 3,070 is 4.003 times
#   smaller; that is above 4, and the full resolution is "best". A tile of 256 pixels shows 1,024 pixels of tissue on
#   one slide and 256 on the other.
# For a user of this project: Ask for 4.1 (or take the level with the nearest downsample), and divide by
#   level_downsamples. Tiles of one folder otherwise have two magnifications, decided by the size of the slide.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 openslide-bin==4.0.1.2 openslide-python==1.4.7 tifffile==2026.3.3

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import openslide
import tifffile

seen = {}
for width, height in ((4096, 3072), (4095, 3070)):
    columns = np.broadcast_to(np.arange(width) // 16, (height, width)).astype(np.uint8)  # red tells the column
    slide = np.stack([columns, np.zeros_like(columns), np.full_like(columns, 255)], -1)
    with tifffile.TiffWriter("slide.tif") as file:
        options = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib"}
        file.write(slide, **options)
        for factor in (4, 16):
            size = slice(0, height // factor * factor, factor), slice(0, width // factor * factor, factor)
            file.write(np.ascontiguousarray(slide[size]), subfiletype=1, **options)
    with openslide.OpenSlide("slide.tif") as file:
        level = file.get_best_level_for_downsample(4)
        tile = np.asarray(file.read_region((0, 0), level, (256, 256)))
        shown = (int(tile[0, -1, 0]) + 1) * 16
        seen[width] = level, shown
        print(width, "x", height, "downsamples", file.level_downsamples, "best for 4: level", level, end=", ")
        print("a tile of 256 pixels shows", shown, "pixels; best for 4.1:", file.get_best_level_for_downsample(4.1))
        assert file.get_best_level_for_downsample(4.1) == 1
assert seen == {4096: (1, 1024), 4095: (0, 256)}
EOF
