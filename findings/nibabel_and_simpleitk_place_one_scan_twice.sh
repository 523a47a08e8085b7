#!/bin/sh
# Packages: nibabel 5.4.2, numpy 2.4.6, simpleitk 2.5.7
# Expected: nibabel and SimpleITK place a voxel of one NIfTI file at one point (but for the signs of x and y).
# Seen: A file has two places, qform and sform. nibabel takes the sform. SimpleITK takes the qform where the sform is an
#   alignment or an atlas (codes 2 to 4), here 95 mm away, and writes it over both: the alignment is lost in its copies.
# For a user of this project: Set both (set_qform, set_sform) before scans and masks go from one reader to the other;
#   a mask drawn in one otherwise lies beside its scan in the other.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet nibabel==5.4.2 numpy==2.4.6 simpleitk==2.5.7

cd "$folder"
"$venv/bin/python" - <<'EOF'
import nibabel
import numpy as np
import SimpleITK

scanner, atlas = np.eye(4), np.eye(4)
scanner[:3, 3], atlas[:3, 3] = (10, 20, 30), (-40, -50, -10)
image = nibabel.Nifti1Image(np.zeros((8, 9, 10), np.float32), None)
image.set_qform(scanner, "scanner")
signs = np.array([-1, -1, 1])  # x and y of DICOM point the other way
apart = {}
for code in ("scanner", "aligned", "talairach", "mni"):
    image.set_sform(atlas, code)
    nibabel.save(image, "scan.nii")
    first = nibabel.load("scan.nii").affine[:3, 3]
    read = SimpleITK.ReadImage("scan.nii")
    SimpleITK.WriteImage(read, "copy.nii")
    copy = nibabel.load("copy.nii").affine[:3, 3]
    apart[code] = float(np.linalg.norm(first - signs * read.GetOrigin()))
    print(f"sform {code}: nibabel {first}, SimpleITK {signs * read.GetOrigin()}, {apart[code]:.0f} mm apart;", end=" ")
    print("nibabel on a copy by SimpleITK", copy)
    assert np.allclose(copy, atlas[:3, 3] if code == "scanner" else scanner[:3, 3], atol=1e-4)
assert apart["scanner"] < 1e-4 and all(94 < apart[code] < 96 for code in ("aligned", "talairach", "mni"))
EOF
