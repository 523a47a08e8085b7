#!/bin/sh
# Packages: numpy 1.26.4, scipy 1.17.1, torch 2.14.1, netcal 1.3.6
# Expected: TemperatureScaling finds the same temperature, but for rounding, for probabilities of float32, the type
#   that networks give, as for float64.
# Seen: Of float32 it is always 1, so a miscalibrated model stays as it is, without a warning. The loss is minimised by
#   SciPy with differences of about 1e-8, which float32 rounds to nothing, so the first step already looks converged.
# For a user of this project: Give netcal probabilities as float64, and look whether the loss on the calibration images
#   has fallen.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==1.26.4 scipy==1.17.1 torch==2.14.1 netcal==1.3.6

cd "$folder"
"$venv/bin/python" - <<'EOF'
import warnings

import numpy as np
from scipy.special import softmax

warnings.simplefilter("ignore")
from netcal.scaling import TemperatureScaling

rng = np.random.default_rng(0)
logits = rng.normal(size=(20_000, 5)) * 2
labels = (rng.random((20_000, 1)) > softmax(logits, axis=1).cumsum(1)).sum(1)
certain = softmax(2 * logits, axis=1)  # twice too certain: the temperature that mends it is a factor of 1/2


def calibrated(probabilities):
    scaling = TemperatureScaling().fit(probabilities, labels)
    loss = -np.log(scaling.transform(probabilities)[np.arange(len(labels)), labels].astype(float)).mean()
    return float(scaling.temperature[0]), loss


before = -np.log(certain[np.arange(len(labels)), labels]).mean()
(double, low), (single, high) = calibrated(certain), calibrated(certain.astype(np.float32))
print(f"negative log-likelihood before {before:.4f}")
print(f"float64: factor {double:.3f}, loss {low:.4f}")
print(f"float32: factor {single:.3f}, loss {high:.4f}")
assert abs(double - 0.5) < 0.02 and low < before - 0.1 and single == 1 and abs(high - before) < 1e-3
EOF
