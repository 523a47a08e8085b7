#!/bin/sh
# Packages: albumentations 2.0.8, numpy 2.4.6, opencv-python-headless 5.0.0.93, torch 2.12.1
# Expected: Workers of a DataLoader augment differently, and each epoch again differently.
# Seen: Each worker begins with a copy of the transform's generator, with or without a seed: two workers use every
#   crop for two images, and workers that are started again for each epoch, as by default, repeat the crops of the
#   first epoch. np.random.seed and torch.manual_seed change nothing.
# For a user of this project: Call set_random_seed(torch.initial_seed() % 2**32) on the transform in worker_init_fn. A
#   training otherwise sees one fixed view of each image.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet albumentations==2.0.8 numpy==2.4.6 opencv-python-headless==5.0.0.93 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import albumentations
import numpy as np
import torch

image = np.arange(4096, dtype=np.uint16).reshape(64, 64)


class Crops(torch.utils.data.Dataset):
    """Crops of one image; the first pixel says where a crop lies."""

    def __init__(self, **options):
        self.transform = albumentations.Compose([albumentations.RandomCrop(2, 2)], **options)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return int(self.transform(image=image)["image"][0, 0])


def reseed(worker):
    torch.utils.data.get_worker_info().dataset.transform.set_random_seed(torch.initial_seed() % 2**32)


for name, options, init in (("default", {}, None), ("seed", {"seed": 0}, None), ("worker_init_fn", {}, reseed)):
    loader = torch.utils.data.DataLoader(Crops(**options), batch_size=2, num_workers=2, worker_init_fn=init)
    epochs = []
    for seed in (0, 1):
        np.random.seed(seed)
        torch.manual_seed(seed)
        epochs.append([place for batch in loader for place in batch.tolist()])
    print(name, "places of eight crops in two epochs:", *epochs)
    repeated = [epoch[:2] == epoch[2:4] and epoch[4:6] == epoch[6:] for epoch in epochs]
    assert [*repeated, epochs[0] == epochs[1]] == [init is None] * 3
EOF
