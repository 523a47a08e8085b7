#!/bin/sh
# Packages: numpy 2.4.6, scikit-learn 1.9.1, skorch 1.4.0, torch 2.12.1
# Expected: predict_proba of a skorch classifier gives probabilities, as each classifier of scikit-learn does.
# Seen: It takes the softmax only where the loss is a CrossEntropyLoss of torch. With other losses on logits, such as
#   a focal loss, it gives the network's raw answers, below 0 and above 1, without a message. Accuracies stay right.
# For a user of this project: Pass predict_nonlinearity=torch.nn.Softmax(dim=-1) with other losses. Entropies,
#   calibration errors and thresholds otherwise come from logits.
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
from sklearn.datasets import load_digits


class Focal(torch.nn.Module):
    """Compute the focal loss with an exponent of 2."""

    def forward(self, logits, labels):
        cross_entropy = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        return ((1 - torch.exp(-cross_entropy)) ** 2 * cross_entropy).mean()


images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
seen = {}
for name, options in {
    "CrossEntropyLoss": {"criterion": torch.nn.CrossEntropyLoss},
    "focal loss": {"criterion": Focal},
    "focal loss, predict_nonlinearity": {"criterion": Focal, "predict_nonlinearity": torch.nn.Softmax(dim=-1)},
}.items():
    torch.manual_seed(0)
    network = skorch.NeuralNetClassifier(torch.nn.Linear(64, 10), max_epochs=10, lr=0.5, verbose=0, **options)
    answers = network.fit(images, labels).predict_proba(images)
    seen[name] = bool(np.allclose(answers.sum(1), 1, atol=1e-4)), network.score(images, labels)
    print(f"{name}: {answers.min():.2f} to {answers.max():.2f}, sums of 1: {seen[name][0]}, score {seen[name][1]:.2f}")
assert [sums for sums, _ in seen.values()] == [True, False, True]
assert all(accuracy > 0.85 for _, accuracy in seen.values())
EOF
