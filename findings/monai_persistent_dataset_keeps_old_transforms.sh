#!/bin/sh
# Packages: monai 1.6.1, nibabel 5.4.2, numpy 2.4.6, torch 2.12.1
# Expected: PersistentDataset computes an image again when its transforms or its file have changed.
# Seen: The name of a cached image is made of its path alone. With another range of intensities, and with another file
#   under the same name, the tensors of the first run come back, without a message.
# For a user of this project: Give each list of transforms its own cache_dir, or pass
#   hash_transform=monai.data.utils.pickle_hashing, and empty the folder when files change. Two ways of preparing
#   scans otherwise have equal results, whichever ran first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet monai==1.6.1 nibabel==5.4.2 numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import nibabel
import numpy as np
from monai.data import PersistentDataset
from monai.data.utils import pickle_hashing
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, ScaleIntensityRanged


def brightest(bright, **options):
    """Return the greatest value of the scan after intensities of 0 to `bright` became 0 to 1."""
    steps = [LoadImaged("scan"), EnsureChannelFirstd("scan"), ScaleIntensityRanged("scan", 0, bright, 0, 1)]
    return PersistentDataset([{"scan": "scan.nii"}], Compose(steps), "cache", **options)[0]["scan"].max().item()


def save(value):
    """Write a scan with one value."""
    nibabel.save(nibabel.Nifti1Image(np.full((8, 8, 8), value, np.float32), np.eye(4)), "scan.nii")


save(500)
first, other = brightest(1000), brightest(100)
hashed = brightest(100, hash_transform=pickle_hashing)
save(900)
rewritten = brightest(1000)
print("500 of 1000:", first, "500 of 100:", other, "with hash_transform:", hashed, "900 of 1000:", rewritten)
assert (first, other, hashed, rewritten) == (0.5, 0.5, 5, 0.5)
EOF
