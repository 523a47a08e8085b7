"""Self-supervised training: one loop for all methods, on one or several devices, resumable bit for bit on a CPU."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vi_simsiam.config.encoder_params import BackboneParams
from vi_simsiam.config.schema import PretrainParams, UntrainedParams
from vi_simsiam.core import distributed, randomness
from vi_simsiam.core.errors import Problem
from vi_simsiam.data.store import TrainingImages
from vi_simsiam.evaluation import feature_cache
from vi_simsiam.evaluation.features import best_device
from vi_simsiam.methods import ImageSpec, Losses, Method, build, encoders
from vi_simsiam.nn.optimisers import Sgd
from vi_simsiam.nn.precision import exact_float32
from vi_simsiam.training import alarms, launch
from vi_simsiam.training.batches import ViewBatches
from vi_simsiam.training.checkpoint import load_checkpoint, save_checkpoint
from vi_simsiam.training.devices import check_devices, in_bf16, join, synchronise_batch_norm, wrap
from vi_simsiam.training.graphed import Graphed
from vi_simsiam.training.history import HISTORY, Means, announced, kappa_columns
from vi_simsiam.training.monitor import monitor
from vi_simsiam.training.schedule import learning_rate, with_enough_steps
from vi_simsiam.transforms.views import Views

# A checkpoint is written when the time since the last one is this many times what writing it took: at most .5 %.
_CHECKPOINT_EVERY = 200


def image_spec(store: TrainingImages, backbone: BackboneParams) -> ImageSpec:
    """Describe the store's images as input of an encoder."""
    images = ImageSpec(store.size, store.channels, tuple(store.mean), tuple(store.std), store.depth)
    images = replace(images, **encoders.preprocessing(backbone))
    if images.channels not in (1, len(images.mean)):
        raise Problem(
            f"pretrain.backbone.weights = {backbone.weights}: its encoder takes grey images, and these have colours."
        )
    return images


def pretrain(
    name: str,
    params: PretrainParams | UntrainedParams,
    store: TrainingImages,
    augmentation: Views,
    seed: int,
    checkpoint: Path | None = None,
    features: Path | None = None,
    device: torch.device | None = None,
) -> tuple[Method, list[dict[str, Any]]]:
    """Train one method on one data set.

    Args:
        name: of the method; `untrained` is returned as initialised.
        params: the job's parameters.
        store: images, and cached views or, with a frozen encoder, features of views.
        augmentation: draws fresh views where none are cached.
        seed: of the initialisation, the order and the views.
        checkpoint: file of the resumable state; None: not resumable. The caller removes it after writing the result.
        features: folder that caches a frozen encoder's features of images (see `feature_cache`); None: images are
            encoded each time.
        device: None: the GPU, or the CPU of a machine without one.

    Returns: the model, on the CPU in evaluation mode, and the history: a row (dict of HISTORY) per epoch. Of several
        processes each returns them, and only the first has the values of `monitor`.
    Raises: alarms.TrainingAlarm when the run has died; Problem when the data cannot be trained on, or not with so many
        devices.
    """
    device = device or best_device()
    if isinstance(params, UntrainedParams):
        return _initialised(name, params, store, seed).eval(), []
    check_devices(params, device)
    if launch.started() < params.processes:
        raise Problem(
            f"pretrain.devices = {params.devices}: the training must be started by `torchrun --nproc-per-node "
            f"{params.devices}`, as src/pretrain.py starts itself. Or set it to 1."
        )
    torch.set_num_threads(params.threads)
    device = join(params, device)
    rank = distributed.rank()
    views = ViewBatches(store, augmentation, params.batch_size, seed, device, rank, params.processes)
    params = with_enough_steps(params, len(views))
    model = _initialised(name, params, store, seed)
    cache = feature_cache.use(model.to(device), features)
    if cache is not None and views.views.shape[1]:
        features_of_views, model.caches_views = cache.of_views(store.views("train")), model.needs_pixels
        if not model.needs_pixels:
            views.use_features(features_of_views)
            torch.set_num_threads(1)  # steps on them are so small that threads would wait for each other
    run = Training(device, model, views, params, seed)
    history: list[dict[str, Any]] = []
    if checkpoint is not None and (progress := load_checkpoint(checkpoint, run.model, run.optimizer)) is not None:
        history = progress["history"]
    if not distributed.agree(len(history), device):
        raise Problem(
            "the processes of this training found different checkpoints: the folder of --scratch must be one that all "
            "machines see. Give another."
        )
    if history and rank == 0:
        print(f"resumed after epoch {len(history)} of {params.epochs}", flush=True)
    saved, cost = time.monotonic(), 0.0
    for epoch in announced(range(len(history) + 1, params.epochs + 1), params.epochs, history, rank):
        row = run.epoch(epoch)
        alarms.check_epoch(row, max(params.warmup_epochs, params.epochs // 5), type(run.model))
        history.append(row)
        if rank > 0:
            continue
        if params.knn_every and (epoch % params.knn_every == 0 or epoch == params.epochs):
            row |= monitor(run.model, store, device)
        if checkpoint is not None and time.monotonic() - saved >= _CHECKPOINT_EVERY * cost:
            start = time.monotonic()
            save_checkpoint(checkpoint, run.model, run.optimizer, {"history": history})
            saved = time.monotonic()
            cost = saved - start
    distributed.leave()
    return run.model.cpu().eval(), history


def _initialised(name: str, params: PretrainParams | UntrainedParams, store: TrainingImages, seed: int) -> Method:
    torch.manual_seed(randomness.seed(seed, "initialisation"))
    images = image_spec(store, params.backbone)
    model = build(name, params, images)
    if (weights := encoders.initial_weights(params.backbone, images.input_size or images.size)) is not None:
        model.load_encoder_weights(*weights)
    return model


class Training:
    """A model on its device with its optimiser, and the loop over an epoch.

    Args:
        device: of this process (`devices.join`).
        model: a method with an objective; moved to the device, in place.
        views: the batches of an epoch: `len`, and `epoch(number)` gives pairs of views on the device.
        params, seed: as in `pretrain`.
    """

    def __init__(self, device: torch.device, model: Method, views: ViewBatches, params: PretrainParams, seed: int):
        if params.processes > 1 and params.sync_batchnorm and device.type == "cuda":
            synchronise_batch_norm(model)
        self.model = model.to(device, memory_format=torch.channels_last)
        self.optimizer = Sgd(
            _groups(self.model, params.backbone.lr_factor),
            lr=1.0,
            momentum=params.momentum,
            weight_decay=params.weight_decay,
            # A step on features is so small that plain SGD takes a fifth of it. False would forbid "foreach" on a GPU.
            fused=model.frozen or None,
        )
        self.wrapped = wrap(self.model, device)
        self.bf16 = in_bf16(params.precision, device)
        self.device = device
        one_gpu = device.type == "cuda" and params.processes == 1
        self.graphed = Graphed(self.differentiate) if params.cuda_graph and one_gpu else None
        self.views, self.seed = views, seed
        self.steps = len(views) * params.epochs
        self.warmup = len(views) * params.warmup_epochs
        self.peak = params.lr * params.batch_size / 256

    def losses(self, views: tuple[Tensor, Tensor], phase: Any) -> Losses:
        """The objective in the training's precision. Views stay float32: autocast rounds where it computes."""
        if not self.bf16:
            return self.wrapped(views, phase)
        with torch.autocast(self.device.type, torch.bfloat16):
            losses: Losses = self.wrapped(views, phase)
        monitors = {name: value.float() for name, value in losses.monitors.items()}
        return Losses(losses.align.float(), losses.uniform.float(), losses.kl.float(), monitors)

    def differentiate(self, views: tuple[Tensor, Tensor], phase: Any) -> dict[str, Tensor]:
        """Leave the objective's gradients in the parameters, and return the batch's values for the history.

        Args:
            views, phase: as in a method's `forward`.

        Returns: scalars, and `kappa` where the method has it, (B,) or (2B,) of all processes.
        """
        losses = self.losses(views, phase)
        total = losses.total
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        measures = dict(losses.monitors)
        embedding = distributed.gather(measures.pop("embedding"))
        if "kappa" in measures:
            measures["kappa"] = distributed.gather(measures["kappa"].float())
        spread = embedding.std(dim=0).mean() * embedding.shape[1] ** 0.5
        terms = {"loss": total, "align": losses.align, "uniform": losses.uniform, "kl": losses.kl}
        return {name: term.detach() for name, term in terms.items()} | {"embedding_std": spread} | measures

    @exact_float32()
    def epoch(self, epoch: int) -> dict[str, Any]:
        """One pass over the training images; returns its history row."""
        self.model.train()
        # The VAE and MCInfoNCE draw noise, which depends on (seed, epoch) alone, so that resuming is exact.
        torch.manual_seed(randomness.seed(self.seed, epoch, "noise"))
        means = Means()
        kappas: list[Tensor] = []
        step = (epoch - 1) * len(self.views)
        rate = 0.0
        for views in self.views.epoch(epoch):
            rate = learning_rate(step, self.steps, self.warmup, self.peak)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            progress = step / self.steps
            # The features of a frozen encoder are looked up on the CPU, which cannot be recorded.
            on_cpu = self.model.frozen and views[0].ndim > 2
            differentiate = self.differentiate if self.graphed is None or on_cpu else self.graphed
            measures = differentiate(views, self.model.phase(progress))
            self.optimizer.step()
            self.model.after_step(progress)
            step += 1
            if (kappa := measures.pop("kappa", None)) is not None:
                kappas.append(kappa.clone())
            means.add(**measures)
        _average_batch_statistics(self.model)
        return dict.fromkeys(HISTORY) | {"epoch": epoch, "lr": rate} | means.values() | kappa_columns(kappas)


def _groups(model: Method, lr_factor: float) -> list[dict[str, Any]]:
    """Group the trained parameters by learning rate: the schedule's rate times the group's `factor`."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if lr_factor == 1:
        return [{"params": trained, "factor": 1.0}]
    encoder = set(model.trained_encoder.parameters())
    after = [parameter for parameter in trained if parameter not in encoder]
    before = [parameter for parameter in trained if parameter in encoder]
    return [{"params": after, "factor": 1.0}, {"params": before, "factor": lr_factor}]


@torch.no_grad()
def _average_batch_statistics(model: Method) -> None:
    """Give all processes the mean of their running means and variances, so that they evaluate the same network."""
    if distributed.count() > 1:
        for name, buffer in model.named_buffers():
            if model.frozen and name.startswith("backbone."):
                continue  # those of its weights, the same in all processes
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(distributed.mean(buffer))
