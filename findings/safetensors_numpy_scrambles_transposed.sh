#!/bin/sh
# Packages: numpy 2.4.6, safetensors 0.8.0
# Expected: safetensors.numpy.save_file() writes a transposed array as it is, or raises as safetensors.torch does.
# Seen: Without a word it writes the bytes in the order of memory under the shape of the view: what is loaded has
#   the right shape and type and other values. A Fortran-ordered array is enough.
# For a user of this project: np.ascontiguousarray() before saving weights or features with this function. Files of
#   big-endian numbers come out right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 safetensors==0.8.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from safetensors.numpy import load_file, save_file

x = np.arange(6, dtype=np.float32).reshape(2, 3)
arrays = {"contiguous": x, "transposed": x.T, "fortran": np.asfortranarray(x), "big_endian": x.astype(">f4")}
save_file(arrays, "x.safetensors")
loaded = load_file("x.safetensors")
equal = {name: np.array_equal(loaded[name], value) for name, value in arrays.items()}
print(equal)
print("transposed:", x.T.tolist(), "loaded:", loaded["transposed"].tolist())
assert equal == {"contiguous": True, "transposed": False, "fortran": False, "big_endian": True}
assert loaded["transposed"].shape == (3, 2)
EOF
