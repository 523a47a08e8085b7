#!/bin/sh
# Packages: numpy 2.4.6, faiss-cpu 1.15.1
# Expected: faiss.Kmeans(dimensions, 10).train(features) clusters all the features it is given.
# Seen: It draws 256 rows for each centroid, here 2,560 of 100,000, and clusters these, without a message. The objective
#   that it reports is the sum over these rows.
# For a user of this project: Set max_points_per_centroid to the number of rows. Few prototypes from many images
#   otherwise miss rare kinds, and objectives of two numbers of clusters cannot be compared.
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

features = np.random.default_rng(0).normal(size=(100_000, 16)).astype(np.float32)
for options in ({}, {"max_points_per_centroid": 100_000}):
    for clusters in (10, 20):
        means = faiss.Kmeans(16, clusters, niter=10, seed=1, **options)
        means.train(features)
        error = means.index.search(features, 1)[0].mean()  # squared distance to the nearest centroid
        rows = means.obj[-1] / error
        print(options, clusters, "clusters, objective:", means.obj[-1], "over about", round(rows), "rows")
        assert abs(rows / (100_000 if options else 256 * clusters) - 1) < 0.05
EOF
