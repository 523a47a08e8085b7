#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1
# Expected: normalize() returns rows of length 1, or raises, whichever floating type the features have.
# Seen: float16 is a type that it keeps, the squared length is summed in float16, overflows above 65,504 and the
#   whole row becomes 0 without a warning. cosine_similarity() of the same rows is right.
# For a user of this project: Cached features are float16: convert them to float32 before any function that sums
#   squares. 1,280 features of about 8 are enough.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize

warnings.simplefilter("error")
features = np.full((2, 1280), 8, np.float16)
features[1, :640] = -8
half, single = normalize(features), normalize(features.astype(np.float32))
print("float16:", half.dtype, "largest entry", np.abs(half).max())
print("float32:", single.dtype, "lengths", np.linalg.norm(single, axis=1))
print("cosine of a row with itself:", cosine_similarity(features)[0, 0])
assert half.dtype == np.float16 and not half.any()
assert np.allclose(np.linalg.norm(single, axis=1), 1, atol=1e-5)
assert np.isclose(cosine_similarity(features)[0, 0], 1, atol=1e-5)
EOF
