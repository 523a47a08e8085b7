#!/bin/sh
# Packages: numpy 2.4.6, pillow 13.0.0
# Expected: WebP with lossless=True gives back the pixels that were saved.
# Seen: Where the fourth band of an RGBA image is 0, the three others come back as 0. exact=True keeps them.
# For a user of this project: Pass exact=True too, or save PNG, for four stains or for images whose background is
#   masked by transparency: what is under the mask is gone.
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

pixels = np.random.default_rng(0).integers(1, 256, (64, 64, 4), dtype=np.uint8)
pixels[:, :16, 3] = 0
for name, options in (("a.webp", {}), ("b.webp", {"exact": True}), ("c.png", {})):
    Image.fromarray(pixels).save(name, **({"lossless": True} if name.endswith("webp") else {}), **options)
    changed = np.any(np.asarray(Image.open(name)) != pixels, axis=-1)
    print(name, options, "share of changed pixels:", changed.mean())
    assert changed.mean() == (0.25 if name == "a.webp" else 0) and not changed[:, 16:].any()
EOF
