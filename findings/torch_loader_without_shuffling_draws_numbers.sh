#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: A pass over a DataLoader without shuffling and without workers leaves the random numbers of the training
#   alone.
# Seen: Each new pass takes a number from the global generator of torch, as a seed for workers that do not exist. With
#   an evaluation after each epoch the order of images, and each crop and noise, is another from the second epoch on.
# For a user of this project: Give loaders of evaluations a generator=torch.Generator() in other trainers. Two runs with
#   one seed that are evaluated at different times are otherwise two different trainings.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from torch.utils.data import DataLoader, TensorDataset

images = TensorDataset(torch.arange(8))


def orders(test=None):
    """Return the order of the images in three epochs, with a pass over the loader `test` after each."""
    torch.manual_seed(0)
    loader = DataLoader(images, batch_size=8, shuffle=True)
    epochs = []
    for _ in range(3):
        epochs.append(next(iter(loader))[0].tolist())
        for _ in test or ():
            pass
    return epochs


alone = orders()
evaluated = orders(DataLoader(images, shuffle=False, num_workers=0))
own = orders(DataLoader(images, shuffle=False, num_workers=0, generator=torch.Generator()))
for name, epochs in (("no evaluation", alone), ("evaluation", evaluated), ("evaluation, own generator", own)):
    print(name, epochs)
assert evaluated[0] == alone[0] and evaluated[1] != alone[1] and own == alone
EOF
