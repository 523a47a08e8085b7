#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0, torch 2.12.1, torchvision 0.27.1
# Expected: Resize with BILINEAR and antialias averages the pixels of a GIF or of a PNG with a palette, or raises.
# Seen: Images of mode P are resized with nearest neighbours: one pixel of 16 is taken, the others are lost. Nothing
#   says so. The deviation of noise is 73 where the average has 12.
# For a user of this project: Convert to RGB before the first transform. Small PNGs and screenshots often have a
#   palette; their views are otherwise aliased, and the compression of a file shows in its features.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pillow==13.0.0 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

warnings.simplefilter("error")
pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
palette = Image.fromarray(pixels).quantize(256)
resize = v2.Resize((16, 16), InterpolationMode.BILINEAR, antialias=True)
seen = {
    "palette": np.asarray(resize(palette).convert("RGB")),
    "nearest": np.asarray(palette.resize((16, 16), Image.Resampling.NEAREST).convert("RGB")),
    "RGB": np.asarray(resize(palette.convert("RGB"))),
}
print({name: f"deviation {image.std():.1f}" for name, image in seen.items()})
assert np.array_equal(seen["palette"], seen["nearest"])
assert seen["palette"].std() > 50 and seen["RGB"].std() < 20
EOF
