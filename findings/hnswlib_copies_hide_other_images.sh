#!/bin/sh
# Packages: numpy 2.4.6, hnswlib 0.8.0
# Expected: Copies of one image in an HNSW index cost room, and every other image is still found as its own nearest
#   neighbour.
# Seen: 2,000 copies of one vector, added first, make a third or more of 2,000 other, distinct vectors unreachable.
#   Without the copies all are found, with the same settings.
# For a user of this project: Remove duplicates before an approximate index; a search for near-duplicates through
#   such an index finds least where there are most.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 hnswlib==0.8.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import hnswlib
import numpy as np

rng = np.random.default_rng(0)
distinct = rng.normal(size=(2000, 32)).astype(np.float32)
copies = np.repeat(rng.normal(size=(1, 32)), 2000, axis=0).astype(np.float32)


def found(before):
    index = hnswlib.Index("cosine", 32)
    index.init_index(len(before) + len(distinct), M=16, ef_construction=200, random_seed=1)
    index.set_num_threads(1)
    index.add_items(np.concatenate([before, distinct]))
    index.set_ef(100)
    labels, _ = index.knn_query(distinct, 1)
    return np.mean(labels[:, 0] == len(before) + np.arange(len(distinct)))


with_copies, without = found(copies), found(copies[:0])
print(f"vectors that find themselves: beside 2,000 copies {with_copies:.3f}, without them {without:.3f}")
assert without > 0.99 and with_copies < 0.8
EOF
