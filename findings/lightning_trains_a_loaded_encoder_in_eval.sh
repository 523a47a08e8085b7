#!/bin/sh
# Packages: numpy 2.4.6, pytorch-lightning 2.6.6, torch 2.12.1, transformers 5.24.0
# Expected: Trainer.fit trains a module in training mode.
# Seen: It keeps the mode of each part, and from_pretrained of transformers gives networks in evaluation mode: dropout
#   is off and batch norms keep their statistics for the whole training, while the rest is in training mode. Lightning
#   warns of "modules in eval mode" once.
# For a user of this project: Call train() before fit. The encoder otherwise trains without dropout and with foreign
#   statistics, and the loss falls all the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pytorch-lightning==2.6.6 torch==2.12.1 transformers==5.24.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import logging
import warnings

import pytorch_lightning as lightning
import torch
from transformers import ResNetConfig, ResNetModel

warnings.simplefilter("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic")
ResNetModel(config).save_pretrained("encoder")


class Probe(lightning.LightningModule):
    """An encoder loaded from a folder, with a layer on top."""

    def __init__(self):
        super().__init__()
        self.encoder = ResNetModel.from_pretrained("encoder")
        self.layer = torch.nn.Linear(8, 2)

    def training_step(self, batch):
        return self.layer(self.encoder(batch[0]).pooler_output.flatten(1)).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


images = torch.utils.data.TensorDataset(torch.rand(32, 3, 32, 32))
counts = {}
for name in ("as loaded", "after train()"):
    probe = Probe()
    if name == "after train()":
        probe.train()
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **options)
    trainer.fit(probe, torch.utils.data.DataLoader(images, 8))
    norms = [module for module in probe.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    counts[name] = {int(norm.num_batches_tracked) for norm in norms}
    print(name, "batches that the batch norms have seen, of 4:", counts[name], "layer:", probe.layer.training)
    assert probe.layer.training
assert counts == {"as loaded": {0}, "after train()": {4}}
EOF
