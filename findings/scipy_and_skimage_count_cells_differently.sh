#!/bin/sh
# Packages: numpy 2.4.6, opencv-python-headless 5.0.0.93, scikit-image 0.26.0, scipy 1.17.1
# Expected: label() of scipy.ndimage and label() of skimage count the same objects in a mask.
# Seen: scipy joins pixels that share a side, skimage and OpenCV also those that share a corner: a diagonal line of
#   five pixels is five objects or one. In a random mask with half of the pixels set scipy counts over ten times as
#   many.
# For a user of this project: Count cells, saliency regions and defects with one library, or pass
#   structure=np.ones((3, 3)) to scipy; a change of library otherwise looks like an effect.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 opencv-python-headless==5.0.0.93 scikit-image==0.26.0 scipy==1.17.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import cv2
import numpy as np
from scipy.ndimage import label
from skimage.measure import label as skimage_label

seen = {}
for name, mask in (("diagonal", np.eye(5)), ("random", np.random.default_rng(0).random((200, 200)) < 0.5)):
    seen[name] = [
        label(mask)[1],
        int(skimage_label(mask).max()),
        cv2.connectedComponents(mask.astype(np.uint8))[0] - 1,
        label(mask, np.ones((3, 3)))[1],
    ]
    print(name, "objects of scipy, skimage, OpenCV, scipy with corners:", seen[name])
assert seen["diagonal"] == [5, 1, 1, 1]
scipy, *others = seen["random"]
assert len(set(others)) == 1 and scipy > 10 * others[0]
EOF
