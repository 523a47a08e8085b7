#!/bin/sh
# Packages: numpy 2.4.6, pyod 3.6.7, scikit-learn 1.9.1
# Expected: decision_function of a fitted ECOD or COPOD gives an image a score by the images that it was fitted on.
# Seen: The rows of the call join the training rows, so foreign images in one call make each other normal. One by one
#   all 500 are above the threshold, in one call 41 % (ECOD); the AUROC is 0.79 where known and foreign images have a
#   call each, and 0.97 in one common call.
# For a user of this project: Score one row a call, or take a detector that does not (KNN), before features are checked
#   for foreign images. AUROCs from calls of different sizes do not compare.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pyod==3.6.7 scikit-learn==1.9.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.knn import KNN
from sklearn.metrics import roc_auc_score

generator = np.random.default_rng(0)
train, known = generator.normal(size=(1000, 8)), generator.normal(size=(500, 8))
foreign = generator.normal(3, 1, size=(500, 8))
truth = np.repeat([0, 1], 500)
seen = {}
for kind in (ECOD, COPOD, KNN):
    detector = kind().fit(train)
    alone = np.concatenate([detector.decision_function(row[None]) for row in foreign])
    together = detector.decision_function(foreign)
    apart = np.concatenate([detector.decision_function(known), together])
    common = detector.decision_function(np.concatenate([known, foreign]))
    flagged = [float((scores > detector.threshold_).mean()) for scores in (alone, together)]
    areas = [float(roc_auc_score(truth, scores)) for scores in (apart, common)]
    seen[kind.__name__] = flagged, areas
    print(f"{kind.__name__}: first image alone {alone[0]:.1f}, among 500 {together[0]:.1f};", end=" ")
    print(f"foreign images found one by one and together {flagged}, AUROC of two calls and of one {areas}")
for name, together in (("ECOD", 0.5), ("COPOD", 0.9)):
    flagged, areas = seen[name]
    assert flagged[0] == 1 and flagged[1] < together and areas[0] < areas[1] - 0.05
assert seen["KNN"] == ([1, 1], [1, 1])
EOF
