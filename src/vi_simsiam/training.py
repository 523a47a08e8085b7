"""Self-supervised training: one loop for all methods, on one device, resumable bit for bit on a CPU."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from sklearn.metrics import roc_auc_score
from torch import Tensor
from tqdm import tqdm

from vi_simsiam import alarms, checkpoints, knn, randomness
from vi_simsiam.errors import Problem
from vi_simsiam.features import batches, best_device, extract
from vi_simsiam.methods import ImageSpec, Losses, Method, build
from vi_simsiam.params import PretrainParams, UntrainedParams
from vi_simsiam.schedule import learning_rate
from vi_simsiam.store import Store
from vi_simsiam.views import Views

HISTORY = (
    "epoch", "loss", "align", "uniform", "kl", "mean_cosine", "expected_cosine",
    "kappa_q05", "kappa_q25", "kappa_q50", "kappa_q75", "kappa_q95", "embedding_std", "lr", "knn_top1",
    "certainty_auroc", "j_align", "j_uniform", "j_kl",
)  # fmt: skip
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MONITORED_IMAGES = 2000  # training images, or up to twice as many, of the k-NN in the history
# A checkpoint is written when the time since the last one is this many times what writing it took: 5 % at most.
_CHECKPOINT_EVERY = 20


def image_spec(store: Store) -> ImageSpec:
    return ImageSpec(store.size, store.channels, tuple(store.mean), tuple(store.std))


class ViewBatches:
    """Two views of every training image, batch by batch: cached ones from the store, or fresh ones.

    Which images meet in a batch and which views they get depends on (seed, epoch) alone: not on the method, not on
    what ran before.
    """

    def __init__(self, store: Store, augmentation: Views, batch_size: int, seed: int, device: torch.device):
        self.images = store.images("train")
        self.views = store.views("train")
        if len(self.images) < batch_size:
            raise Problem(
                f"pretrain.batch_size = {batch_size} is larger than the training set of {len(self.images)} images: "
                "lower it."
            )
        if self.views.shape[1] == 1:
            raise Problem("cache_views.per_image = 1: training needs two views of an image. Set 0 (fresh) or >= 2.")
        self.augmentation, self.batch_size, self.seed, self.device = augmentation, batch_size, seed, device

    def __len__(self) -> int:
        return len(self.images) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs of (batch_size, C, size, size) float views in [0, 1] on the device; a last short batch is left out."""
        draw = randomness.generator(self.seed, epoch, "views")
        order = torch.randperm(len(self.images), generator=randomness.generator(self.seed, epoch, "order"))
        pair = self._cached if self.views.shape[1] else self._fresh
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield pair(order[start : start + self.batch_size], draw)

    def _fresh(self, rows: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(self.images[rows.numpy()]).to(self.device, non_blocking=True)
        n, height, width, _ = images.shape
        return tuple(self.augmentation.apply(images, self.augmentation.draw(n, height, width, draw)) for _ in range(2))

    def _cached(self, rows: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        count = self.views.shape[1]
        first = torch.randint(count, (len(rows),), generator=draw)
        second = (first + torch.randint(1, count, (len(rows),), generator=draw)) % count  # another view than the first
        return tuple(self._to_device(self.views[rows.numpy(), view.numpy()]) for view in (first, second))

    def _to_device(self, views) -> Tensor:
        return torch.from_numpy(views).to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255


def pretrain(
    name: str,
    params: PretrainParams | UntrainedParams,
    store: Store,
    augmentation: Views,
    seed: int,
    checkpoint: Path | None = None,
) -> tuple[Method, list[dict[str, Any]]]:
    """Train one method on one data set.

    Args:
        name: of the method; `untrained` comes back as it was initialised.
        params: the job's parameters.
        store: images and cached views.
        augmentation: draws fresh views where none are cached.
        seed: of the initialisation, the order and the views.
        checkpoint: file of the resumable state; None: not resumable. It is removed by the caller, after the result
            has been written.

    Returns: the model, on the CPU in evaluation mode, and the history: a row (dict of HISTORY) per epoch.
    Raises: alarms.TrainingAlarm when the run has died; Problem when the data cannot be trained on.
    """
    torch.manual_seed(randomness.seed(seed, "initialisation"))
    model = build(name, params, image_spec(store))
    if isinstance(params, UntrainedParams):
        return model.eval(), []
    device = best_device()
    if device.type == "cpu":
        torch.set_num_threads(params.threads)
    views = ViewBatches(store, augmentation, params.batch_size, seed, device)
    run = Training(model, views, params, seed, device)
    history: list[dict[str, Any]] = []
    if checkpoint is not None and (progress := checkpoints.load(checkpoint, run.model, run.optimizer)) is not None:
        history = progress["history"]
        print(f"resumed after epoch {len(history)} of {params.epochs}", flush=True)
    saved, cost = time.monotonic(), 0.0
    for epoch in _announced(range(len(history) + 1, params.epochs + 1), params.epochs, history):
        row = run.epoch(epoch)
        alarms.check_epoch(row, grace=max(params.warmup_epochs, params.epochs // 5))
        if params.knn_every and (epoch % params.knn_every == 0 or epoch == params.epochs):
            row |= _monitor(model, store, device)
        history.append(row)
        if checkpoint is not None and time.monotonic() - saved >= _CHECKPOINT_EVERY * cost:
            start = time.monotonic()
            checkpoints.save(checkpoint, run.model, run.optimizer, {"history": history})
            saved = time.monotonic()
            cost = saved - start
    return model.cpu().eval(), history


class Training:
    """A model on its device with its optimiser, and the loop over an epoch.

    Args:
        model: a method with an objective; moved to the device, in place.
        views: the batches of an epoch: `len`, and `epoch(number)` gives pairs of views on the device.
        params, seed, device: as in `pretrain`.
    """

    def __init__(self, model: Method, views: ViewBatches, params: PretrainParams, seed: int, device: torch.device):
        self.fabric = Fabric(accelerator=device.type, devices=1, precision=_precision(params.precision, device))
        self.model = model.to(device, memory_format=torch.channels_last)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.SGD(trained, lr=1.0, momentum=params.momentum, weight_decay=params.weight_decay)
        self.wrapped, self.stepped = self.fabric.setup(self.model, self.optimizer)
        self.views, self.seed = views, seed
        self.steps = len(views) * params.epochs
        self.warmup = len(views) * params.warmup_epochs
        self.peak = params.lr * params.batch_size / 256

    def epoch(self, epoch: int) -> dict[str, Any]:
        """One pass over the training images; returns its history row."""
        self.model.train()
        # The VAE's noise: from (seed, epoch) like everything else, so that resuming is exact.
        torch.manual_seed(randomness.seed(self.seed, epoch, "noise"))
        means = _Means()
        kappas: list[Tensor] = []
        step = (epoch - 1) * len(self.views)
        rate = 0.0
        for views in self.views.epoch(epoch):
            rate = learning_rate(step, self.steps, self.warmup, self.peak)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses: Losses = self.wrapped(views, step / self.steps)
            self.stepped.zero_grad(set_to_none=True)
            self.fabric.backward(losses.total)
            self.stepped.step()
            self.model.after_step(step / self.steps)
            step += 1
            monitors = dict(losses.monitors)
            embedding = monitors.pop("embedding")
            if (kappa := monitors.pop("kappa", None)) is not None:
                kappas.append(kappa.float())
            spread = embedding.std(dim=0).mean() * embedding.shape[1] ** 0.5
            means.add(
                loss=losses.total, align=losses.align, uniform=losses.uniform, kl=losses.kl, embedding_std=spread,
                **monitors,
            )  # fmt: skip
        row = dict.fromkeys(HISTORY) | {"epoch": epoch, "lr": rate} | means.values()
        if kappas:
            levels = torch.tensor(_QUANTILES, device=kappas[0].device)
            quantiles = torch.quantile(torch.cat(kappas), levels).tolist()
            row |= {f"kappa_q{round(100 * q):02d}": v for q, v in zip(_QUANTILES, quantiles, strict=True)}
        return row


class _Means:
    """Running means that stay on the device: reading a number off a GPU at every step would stall it."""

    def __init__(self):
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, **values: Tensor) -> None:
        self.count += 1
        for key, value in values.items():
            value = value.detach().double()
            self.sums[key] = self.sums[key] + value if key in self.sums else value

    def values(self) -> dict[str, float]:
        return {key: (value / self.count).item() for key, value in self.sums.items()}


def _precision(asked: str | int, device: torch.device) -> str:
    if asked == "auto":
        return "bf16-mixed" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if asked == "bf16" else "32-true"


def _monitor(model: Method, store: Store, device: torch.device) -> dict[str, float | None]:
    """What some training images say, one by one left out: no test image is looked at while training.

    Returns: `knn_top1`, the 20-NN accuracy; `certainty_auroc`, how well the method's own certainty score tells the
        images that are classified right from the others (None without a score, or when all are right).
    """
    images = store.images("train")
    # At even steps, because images may be sorted by class.
    rows = np.arange(0, len(images), max(1, len(images) // _MONITORED_IMAGES))
    labels = torch.from_numpy(store.labels("train")[rows]).to(device)
    if len(labels) < 2 or (labels < 0).any():
        return {}
    own = model.certainty_scores[:1]
    found = extract(
        model,
        batches(images[rows], 500),
        lambda f: {"features": f} | {name: model.certainty(f)[name] for name in own},
    )
    features = found["features"].to(device)
    right = knn.predict(features, features, labels, k=20, temperature=0.1, leave_one_out=True) == labels
    row: dict[str, float | None] = {"knn_top1": right.float().mean().item()}
    if own and 0 < right.sum() < len(right):
        row["certainty_auroc"] = float(roc_auc_score(right.cpu(), found[own[0]]))
    return row


def _announced(epochs: range, total: int, history: list[dict]) -> Iterator[int]:
    """The epochs, with a progress bar on a terminal and plain lines in a log."""
    terminal = sys.stderr.isatty()
    start = time.monotonic()
    for done, epoch in enumerate(
        tqdm(epochs, initial=epochs.start - 1, total=total, unit="epoch", disable=not terminal)
    ):
        yield epoch
        if terminal or not history:
            continue
        row = history[-1]
        seconds = (time.monotonic() - start) / (done + 1)
        shown = ("loss", "mean_cosine", "expected_cosine", "embedding_std", "knn_top1", "certainty_auroc")
        numbers = "  ".join(f"{key} {row[key]:.4f}" for key in shown if row.get(key) is not None)
        print(
            f"epoch {epoch}/{total}  {numbers}  {seconds:.2f} s/epoch, {seconds * (total - epoch):.0f} s left",
            flush=True,
        )
