#!/bin/sh
# Packages: numpy 2.4.6, skorch 1.4.0, torch 2.12.1
# Expected: NeuralNetClassifier.fit trains on all images that it gets, as LogisticRegression of scikit-learn does.
# Seen: It holds a fifth out for a validation loss that nothing uses: fit on 1,000 images trains on 800, and a
#   cross-validation of five folds on 64 % of the images. verbose=0 leaves no sign of it.
# For a user of this project: Pass train_split=None where a network of skorch is compared with a probe of
#   scikit-learn; with ten labels a class it otherwise has eight.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 skorch==1.4.0 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import torch
from skorch import NeuralNetClassifier


class Probe(torch.nn.Module):
    """A linear probe that counts the images it is trained on."""

    seen = 0

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

    def forward(self, features):
        if self.training:
            Probe.seen += len(features)
        return self.layer(features).softmax(1)


random = np.random.default_rng(0)
features, labels = random.random((1000, 2)).astype(np.float32), random.integers(0, 2, 1000)
counts = {}
for name, options in (("default", {}), ("train_split=None", {"train_split": None})):
    Probe.seen = 0
    NeuralNetClassifier(Probe, max_epochs=1, verbose=0, **options).fit(features, labels)
    counts[name] = Probe.seen
print("images trained on, of 1,000:", counts)
assert counts == {"default": 800, "train_split=None": 1000}
EOF
