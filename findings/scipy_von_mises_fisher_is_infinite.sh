#!/bin/sh
# Packages: numpy 2.4.6, scipy 1.17.1
# Expected: The log-density and the entropy of scipy.stats.vonmises_fisher are finite in every dimension and for
#   every concentration.
# Seen: In 512 dimensions with a concentration of 1 the log-density is +inf and the entropy NaN, without an error:
#   the Bessel function underflows to 0. The true values are those of the uniform distribution to three digits. 128
#   dimensions work, 256 only from larger concentrations on.
# For a user of this project: SciPy is no reference for the spheres on which encoders work. Use an expansion for
#   large orders (docs/method.md).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import math

import numpy as np
from scipy.stats import vonmises_fisher


def seen(d, kappa):
    mu = np.eye(d)[0]
    distribution = vonmises_fisher(mu, kappa)
    with np.errstate(all="ignore"):
        return float(distribution.logpdf(mu)), float(distribution.entropy())


def uniform(d):
    return math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)


for d in (128, 512, 2048):
    print(d, "kappa 1:", seen(d, 1.0), "kappa 10,000:", seen(d, 1e4), "uniform entropy:", round(uniform(d), 2))
density, entropy = seen(128, 1.0)
assert abs(entropy - uniform(128)) < 0.01 and abs(density - (1 - uniform(128))) < 0.01
for d in (512, 2048):
    density, entropy = seen(d, 1.0)
    assert density == math.inf and math.isnan(entropy)
    assert all(map(math.isfinite, seen(d, 1e4)))
EOF
