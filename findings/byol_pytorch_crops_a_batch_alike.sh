#!/bin/sh
# Packages: byol-pytorch 0.9.1, torch 2.12.1, torchvision 0.27.1
# Expected: BYOL(net, image_size) draws crop, flip and colours for each image, as the paper of its transforms does.
# Seen: Its transforms are those of torchvision, called once with the whole batch: all images of a batch have the same
#   crop, flip and colours. Of 16 copies of an image the network sees 2 different views; image by image 32.
# For a user of this project: Pass an augment_fn that draws for each image (of kornia, or a loop) before such an encoder
#   is compared with one of this project.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet byol-pytorch==0.9.1 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from byol_pytorch import BYOL
from torchvision.models import resnet18

torch.manual_seed(0)
images = torch.rand(1, 3, 64, 64).repeat(16, 1, 1, 1)


def different_views(batches, **options):
    seen = []
    network = resnet18()
    learner = BYOL(network, image_size=32, hidden_layer="avgpool", projection_hidden_size=64, **options)
    network.conv1.register_forward_pre_hook(lambda layer, inputs: seen.append(len(inputs[0].unique(dim=0))))
    with torch.no_grad():
        for _ in range(batches):
            learner(images)
    return learner, max(seen)


learner, together = different_views(20)
print("different views of 16 copies, at most in 20 batches:", together)
transforms = learner.augment1
_, apart = different_views(1, augment_fn=lambda batch: torch.cat([transforms(image[None]) for image in batch]))
print("with the same transforms, image by image:", apart)
assert together == 2 and apart == 32
EOF
