#!/bin/sh
# Packages: numpy 2.4.6, simpleitk 2.5.7
# Expected: DiscreteGaussian(image, variance) blurs a constant image to the same value, and a point to the given
#   deviation.
# Seen: Its kernel ends at 65 pixels (maximumKernelWidth=32 to each side): a deviation of 20 pixels is 15.8. From a
#   deviation of 27 pixels on, its weights are NaN, with any width: an image of bytes or 16 bits becomes 0 everywhere.
#   No message.
# For a user of this project: Take SmoothingRecursiveGaussian for wide blurs. A background of 0 otherwise passes as a
#   correction of the illumination that changes nothing; spacing counts too, so that 10 mm are 40 pixels of 0.25 mm.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 simpleitk==2.5.7

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import SimpleITK as sitk

grey = sitk.GetImageFromArray(np.full((201, 201), 100, np.uint16))
blurs = {"DiscreteGaussian": lambda image, width: sitk.DiscreteGaussian(image, variance=float(width**2))}
blurs["SmoothingRecursiveGaussian"] = lambda image, width: sitk.SmoothingRecursiveGaussian(image, float(width))
levels, spreads = {}, {}
point = np.zeros((401, 401), np.float32)
point[200, 200] = 1
across = np.arange(401) - 200
for name, blur in blurs.items():
    levels[name] = [int(sitk.GetArrayFromImage(blur(grey, width))[100, 100]) for width in (20, 26, 27, 40)]
    spot = sitk.GetArrayFromImage(blur(sitk.GetImageFromArray(point), 20)).sum(0)
    spreads[name] = float(np.sqrt((spot * across**2).sum() / spot.sum()))
    print(f"{name}: grey of 100 at deviations of 20, 26, 27, 40: {levels[name]}; deviation for 20: {spreads[name]:.1f}")
assert levels["DiscreteGaussian"][2:] == [0, 0] and min(levels["DiscreteGaussian"][:2]) > 96
assert min(levels["SmoothingRecursiveGaussian"]) > 98
assert 15 < spreads["DiscreteGaussian"] < 16.5 and 19 < spreads["SmoothingRecursiveGaussian"] < 20.5
EOF
