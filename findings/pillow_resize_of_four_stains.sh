#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0
# Expected: Image.resize treats the four bands of an RGBA image alike.
# Seen: It multiplies the three first bands by the fourth, resizes, and divides again, in bytes. Where the fourth is 0
#   all four become 0; where it is 3 the others keep 4 different values of 256, with errors of up to 83.
# For a user of this project: Do not keep four stains or spectral bands as one RGBA image: where the fourth is dark the
#   views lose the others. Resize each band alone (getchannel, merge), or use arrays.
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

stains = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
for fourth in (0, 3, 255):
    stains[..., 3] = fourth
    image = Image.fromarray(stains)
    together = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR))[..., :3].astype(int)
    alone = [band.resize((32, 32), Image.Resampling.BILINEAR) for band in image.split()[:3]]
    error, values = np.abs(together - np.dstack(alone)).max(), len(np.unique(together))
    print("fourth band", fourth, "values of the others after resize:", values, "largest error:", error)
    assert (values == 1) == (fourth == 0) and (values <= 4) == (fourth < 255)
    assert (error == 0) == (fourth == 255) and (error > 60) == (fourth < 255)
EOF
