#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1, skorch 1.4.0, torch 2.12.1
# Expected: EpochScoring("roc_auc") knows that a higher AUC is better, as the scorer of that name in scikit-learn
#   does.
# Seen: Its default is lower_is_better=True for each name. The "best" epoch is the one with the lowest AUC, and
#   Checkpoint with monitor="valid_auc_best" keeps the weights of the worst epoch, without a message.
# For a user of this project: Pass lower_is_better=False with each measure that shall be high. Weights chosen so are
#   otherwise those of the first steps, and an encoder looks as if it had learnt nothing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 scikit-learn==1.9.1 skorch==1.4.0 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import skorch
import torch
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Checkpoint, EpochScoring
from skorch.dataset import ValidSplit

rng = np.random.default_rng(0)
images = rng.normal(size=(500, 5)).astype(np.float32)
labels = (images[:, 0] > 0).astype(np.int64)
seen = {}
for name, options in (("default", {}), ("lower_is_better=False", {"lower_is_better": False})):
    torch.manual_seed(0)
    auc = EpochScoring("roc_auc", name="valid_auc", **options)
    kept = Checkpoint(monitor="valid_auc_best", dirname=name)
    network = skorch.NeuralNetClassifier(
        torch.nn.Linear(5, 2),
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=20,
        verbose=0,
        train_split=ValidSplit(5, stratified=True),
        callbacks=[("auc", auc), ("kept", kept)],
    ).fit(images, labels)
    curve = network.history[:, "valid_auc"]
    last = roc_auc_score(labels, network.predict_proba(images)[:, 1])
    network.load_params(checkpoint=kept)
    seen[name] = roc_auc_score(labels, network.predict_proba(images)[:, 1]), last
    best = [epoch for epoch, flag in enumerate(network.history[:, "valid_auc_best"]) if flag][-1]
    print(f"{name}: AUC of epochs 0 and 19: {curve[0]:.2f}, {curve[-1]:.2f}; kept: {best}, with {seen[name][0]:.2f}")
assert seen["default"][0] < 0.7 < 0.8 < seen["default"][1]
assert seen["lower_is_better=False"][0] == seen["lower_is_better=False"][1] == seen["default"][1]
EOF
