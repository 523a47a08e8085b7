#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1
# Expected: PCA(whiten=True) of float32 features gives columns with a deviation of about 1, for 639 rows as for 640.
# Seen: From ten rows a feature on it takes the covariance as X.T @ X minus the squared mean, in float32. For features
#   with a mean of 3 and deviations of 0.3 to 0.001 the smallest variances are then 0, and whitened columns of other
#   rows have a deviation of 48,000. No warning. With one row less, in float64, or centred before, it is 1.2.
# For a user of this project: Features after a ReLU have such a mean. Centre them or convert them to float64 before PCA,
#   or pass svd_solver="full": distances between whitened features are otherwise those of rounding errors.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from sklearn.decomposition import PCA

random = np.random.default_rng(0)
directions = np.linalg.qr(random.normal(size=(64, 64)))[0]
features = random.normal(size=(2000, 64)) * np.geomspace(0.3, 0.001, 64) @ directions + 3
train, test = features[:1000].astype(np.float32), features[1000:].astype(np.float32)


def largest(name, train, test, solver="auto"):
    """Return the largest deviation of a whitened column of the test rows, about 1 where all is well."""
    fitted = PCA(whiten=True, svd_solver=solver).fit(train)
    deviation = float(fitted.transform(test).std(0).max())
    print(f"{name}: smallest variance {fitted.explained_variance_[-1]:.2g}, largest deviation {deviation:.5g}")
    return deviation


assert largest("639 rows", train[:639], test) < 1.5
assert largest("640 rows", train[:640], test) > 1000
assert largest("640 rows, full", train[:640], test, "full") < 1.5
assert largest("640 rows, float64", train[:640].astype(float), test.astype(float)) < 1.5
mean = train[:640].mean(0)
assert largest("640 rows, centred", train[:640] - mean, test - mean) < 1.5
EOF
