#!/bin/sh
# Packages: nibabel 5.4.2, numpy 2.4.6
# Expected: A map of probabilities saved with the affine and header of its scan or mask comes back as it was.
# Seen: The header holds the type of the file. With that of a mask of bytes a map of float64 is scaled into bytes on
#   saving, and a NaN becomes 0. At most 256 values are left; 4,096 certainties from 0.99 to 0.99999999 become four.
# For a user of this project: Call set_data_dtype("float32") on a copy of the header before maps of certainty are saved;
#   the ranking of the most certain voxels is lost otherwise, and voxels without a value have the certainty 0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet nibabel==5.4.2 numpy==2.4.6

cd "$folder"
"$venv/bin/python" - <<'EOF'
import nibabel
import numpy as np

nibabel.save(nibabel.Nifti1Image(np.zeros((16, 16, 16), np.uint8), np.eye(4)), "mask.nii")
mask = nibabel.load("mask.nii")
certainty = 1 - 10 ** -np.random.default_rng(0).uniform(2, 8, (16, 16, 16))
certainty[0, 0, 0] = np.nan
seen = {}
for kind in ("uint8", "float32"):
    header = mask.header.copy()
    header.set_data_dtype(kind)
    nibabel.save(nibabel.Nifti1Image(certainty, mask.affine, header), "certainty.nii")
    read = nibabel.load("certainty.nii").get_fdata()
    seen[kind] = len(np.unique(read)), read[0, 0, 0]
    print(kind, "different values of 4,096:", seen[kind][0], "for NaN:", seen[kind][1])
assert seen["uint8"] == (5, 0)  # four and the 0 of NaN
assert seen["float32"][0] > 1000 and np.isnan(seen["float32"][1])
EOF
