#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1, umap-learn 0.5.12
# Expected: With random_state set, UMAP.transform places an image by its features alone, and a training image where it
#   lies.
# Seen: The place depends on the other images of the call: one by one they lie elsewhere than together. The training
#   images lie in their old places only if all are given: without the last one the others move.
# For a user of this project: Place all images in one call; do not read changes between maps of two batches, nor serve
#   a map image by image.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1 umap-learn==0.5.12

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
import umap

warnings.simplefilter("ignore")
random = np.random.default_rng(0)
centres = random.normal(size=(5, 16)) * 3
features = (centres[np.arange(500) % 5] + random.normal(size=(500, 16))).astype(np.float32)
train, test = features[:400], features[400:]
model = umap.UMAP(random_state=0, n_epochs=100).fit(train)


def moved(first, second):
    return float(np.linalg.norm(first - second, axis=1).mean())


together = model.transform(test)
seen = {
    "test images again": moved(together, model.transform(test)),
    "test images, one by one": moved(together[:5], np.vstack([model.transform(row[None]) for row in test[:5]])),
    "all training images": moved(model.embedding_, model.transform(train)),
    "without the last": moved(model.embedding_[:-1], model.transform(train[:-1])),
}
size = np.median([np.linalg.norm(model.embedding_[k::5].std(0)) for k in range(5)])
print("size of a cluster:", float(size), "mean move:", seen)
assert seen["test images again"] == seen["all training images"] == 0
assert seen["test images, one by one"] > 0.1 * size and seen["without the last"] > 0.1 * size
EOF
