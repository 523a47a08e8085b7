#!/bin/sh
# Packages: numpy 2.4.6
# Expected: np.load("features.npz", mmap_mode="r") maps the arrays of the file, and file["x"][5] reads one row.
# Seen: mmap_mode is ignored for .npz without a message: file["x"] reads the whole array into memory, at each access
#   again. Twenty rows of an array of 8 MB read 160 MB.
# For a user of this project: Keep features as .npy where they are mapped, and take an array out of an .npz once,
#   before the loop or the DataLoader.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np

features = np.random.default_rng(0).random((10_000, 100))
np.savez("features.npz", x=features)
np.save("features.npy", features)
count = 0


class Counted:
    """A file that counts the bytes read from it."""

    def __init__(self, name):
        self.file = open(name, "rb")

    def read(self, size=-1):
        global count
        data = self.file.read(size)
        count += len(data)
        return data

    def __getattr__(self, name):
        return getattr(self.file, name)


archive = np.load("features.npz", mmap_mode="r")
print("type in an .npz:", type(archive["x"]).__name__, "one array at both accesses:", archive["x"] is archive["x"])
assert type(archive["x"]) is np.ndarray and archive["x"] is not archive["x"]
assert type(np.load("features.npy", mmap_mode="r")) is np.memmap
archive = np.load(Counted("features.npz"))
for row in range(20):
    assert np.array_equal(archive["x"][row], features[row])
print("MB read for 20 rows of an array of 8 MB:", count / 1e6)
assert count > 20 * features.nbytes
EOF
