#!/bin/sh
# Packages: numpy 2.4.6, faiss-cpu 1.15.1
# Expected: A search for 20 neighbours among 2,000 images gives 20 images, or an error.
# Seen: An inverted file looks into one cell (nprobe is 1). Where that has fewer rows the answer is filled with the
#   number -1, which numpy reads as the last image: a vote among neighbours then counts the label of the last image.
# For a user of this project: Raise nprobe, and count the -1 before labels[neighbours]. A class that lies at the end of
#   the data set is otherwise the answer for images in small cells.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 faiss-cpu==1.15.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import faiss
import numpy as np

random = np.random.default_rng(0)
features = random.normal(size=(8000, 16)).astype(np.float32)
labels = np.repeat(np.arange(10), 800)  # sorted by class, as folders are
index = faiss.IndexIVFFlat(faiss.IndexFlatL2(16), 16, 200)
index.train(features)
index.add(features[::4])
neighbours = index.search(features[1::4], 20)[1]
votes = labels[::4][neighbours]
share = np.bincount(votes.ravel(), minlength=10) / votes.size
print("missing neighbours:", np.mean(neighbours < 0), "images with one:", np.mean((neighbours < 0).any(1)))
print("share of each of ten equal classes among the neighbours:", share.round(3))
assert np.mean(neighbours < 0) > 0.2 and share[9] > 0.25 and share[:9].max() < 0.12
EOF
