"""One training step of SimSiam: ours, the model alone, and lightly's loop, on the same network, batch and images.

The recipe `cifar10`: ResNet-18 with the stem for small images, projector 2048, predictor 512, 32 x 32 colour. `limit`
is our model with forward, backward and optimiser step on two prepared views. Ours draws fresh views, or
reads cached ones from a store; other methods draw fresh ones. Lightly's loop is that of its documentation
(torchvision's transforms in a DataLoader with a worker per core, float32, tensors in their default layout), with our
backbone, so that both train the same network. The contestants take turns, a few steps each; what is compared is the
median over the rounds.
"""

import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.config.loading import load, merged, resolve
from vi_simsiam.config.schema import AugmentationParams, PretrainParams, parse
from vi_simsiam.core.randomness import generator
from vi_simsiam.evaluation.features import best_device
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.training.batches import ViewBatches
from vi_simsiam.training.devices import has_bf16, join
from vi_simsiam.training.trainer import Training
from vi_simsiam.transforms.views import Views

ROOT = Path(__file__).resolve().parents[1]
SIZE = 32
PARAMS = load(ROOT / "params.yaml")
# SimSiam's recipe for small images.
AUGMENTATION = AugmentationParams(**resolve(PARAMS, "cache_views", "cifar10")["augmentation"])


class Memory:
    """Random images in place of a store: what `ViewBatches` reads of one. `views` cached views of each, or none."""

    def __init__(self, folder: Path, images: int, views: int):
        rng = np.random.default_rng(0)
        self._images = rng.integers(0, 256, (images, SIZE, SIZE, 3), dtype=np.uint8)
        shape = (images, views, SIZE, SIZE, 3)
        if views:  # on disk and mapped, as in a store
            stored = np.lib.format.open_memmap(folder / "views.npy", "w+", np.uint8, shape)
            stored[:] = rng.integers(0, 256, shape, dtype=np.uint8)
            self._views = np.load(folder / "views.npy", mmap_mode="r")
        else:
            self._views = np.empty(shape, np.uint8)

    def images(self, split: str) -> np.ndarray:
        return self._images

    def views(self, split: str) -> np.ndarray:
        return self._views


class Given:
    """The same two views in every step: what is left is the model."""

    def __init__(self, batch: int, steps: int, device: torch.device):
        self.pair = tuple(torch.rand(batch, 3, SIZE, SIZE, generator=generator("given")).to(device) for _ in range(2))
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.steps):
            yield self.pair


def params(batch: int, precision: str | int, width: int, method: str = "simsiam") -> PretrainParams:
    """The recipe's parameters, with these sizes."""
    changes = {"batch_size": batch, "precision": precision, "backbone": {"width": width}, "knn_every": 0}
    recipe = resolve(PARAMS, "pretrain", "cifar10", method)
    return parse("pretrain", merged(recipe, changes), method)


def ours(
    views, batch: int, precision: str | int, width: int, device: torch.device, method: str = "simsiam"
) -> Callable[[int], float]:
    """A contestant: seconds of the epoch with the given number."""
    recipe = params(batch, precision, width, method=method)
    model = build(method, recipe, ImageSpec(SIZE, 3, (0.5,) * 3, (0.25,) * 3))
    training = Training(join(recipe, device), model, views, recipe, 0)

    def seconds(epoch: int) -> float:
        start = time.perf_counter()
        training.epoch(epoch)  # ends on reading the means, so the device is done
        return time.perf_counter() - start

    return seconds


def lightly(batch: int, steps: int, width: int, device: torch.device) -> Callable[[int], float]:
    from lightly.loss import NegativeCosineSimilarity
    from lightly.models.modules import SimSiamPredictionHead, SimSiamProjectionHead
    from lightly.transforms import SimSiamTransform
    from torchvision.transforms.functional import to_pil_image

    from vi_simsiam.nn.backbones import ResNet

    images = torch.randint(
        0, 256, (batch * (steps + 1), 3, SIZE, SIZE), dtype=torch.uint8, generator=generator("pictures")
    )
    transform = SimSiamTransform(input_size=SIZE)
    loader = torch.utils.data.DataLoader(
        [to_pil_image(image) for image in images],
        batch_size=batch,
        shuffle=True,
        drop_last=True,
        num_workers=os.cpu_count(),
        collate_fn=lambda pictures: torch.utils.data.default_collate([transform(picture) for picture in pictures]),
    )
    backbone = ResNet("resnet18", width, "3x3", 3)
    projector, predictor = SimSiamProjectionHead(backbone.dim, 2048, 2048), SimSiamPredictionHead(2048, 512, 2048)
    model, criterion = nn.ModuleList([backbone, projector, predictor]).to(device), NegativeCosineSimilarity()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.06)

    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        z = projector(backbone(x).flatten(start_dim=1))
        return z.detach(), predictor(z)

    def seconds(epoch: int) -> float:
        """Of all steps but the first, which waits for the workers to start."""
        total, start = 0.0, 0.0
        for step, (x0, x1) in enumerate(loader):
            x0, x1 = x0.to(device), x1.to(device)
            z0, p0 = forward(x0)
            z1, p1 = forward(x1)
            loss = 0.5 * (criterion(z0, p1) + criterion(z1, p0))
            total += loss.detach()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if step == 0:
                float(total)
                start = time.perf_counter()
        float(total)
        return time.perf_counter() - start

    return seconds


def precisions(device: torch.device) -> tuple[str | int, ...]:
    """Those that the device has instructions for; of a GPU only bf16: exact float32 takes seven times as long."""
    if not has_bf16(device):
        return (32,)
    return ("bf16",) if device.type == "cuda" else ("bf16", 32)


def others(device: torch.device) -> tuple[str, ...]:
    """Methods whose step is timed beside SimSiam's: on a GPU, where that takes seconds."""
    return ("vi_simsiam", "simclr", "dino", "vae") if device.type == "cuda" else ()


def rates(batch: int, steps: int, rounds: int, width: int = 64) -> dict[str, float]:
    """Images per second (each image gives two views) of every contestant: the median over the rounds."""
    device = best_device()
    with tempfile.TemporaryDirectory() as folder:
        views = Views(AUGMENTATION, SIZE, 3)
        stores = {"fresh": Memory(Path(folder), batch * steps, 0), "store": Memory(Path(folder), batch * steps, 4)}
        contestants = {}
        for precision in precisions(device):
            contestants[f"limit {precision}"] = ours(Given(batch, steps, device), batch, precision, width, device)
            for name, store in stores.items():
                batches = ViewBatches(store, views, batch, 0, device)
                contestants[f"{name} {precision}"] = ours(batches, batch, precision, width, device)
        for method in others(device):
            batches = ViewBatches(stores["fresh"], views, batch, 0, device)
            contestants[method] = ours(batches, batch, precisions(device)[0], width, device, method)
        if importlib.util.find_spec("lightly"):
            contestants["lightly"] = lightly(batch, steps, width, device)
        times = {name: [] for name in contestants}
        for epoch in range(rounds + 1):
            for name, seconds in contestants.items():
                taken = seconds(epoch + 1)
                if epoch:  # the first round warms up
                    times[name].append(taken)
    return {name: batch * steps / float(np.median(taken)) for name, taken in times.items()}
