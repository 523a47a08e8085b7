"""Training batches of two views, the same for all methods, devices and numbers of processes."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.core import randomness
from vi_simsiam.core.errors import Problem
from vi_simsiam.data.store import FORGET_AFTER, READ_AROUND, TrainingImages, release_pages
from vi_simsiam.transforms.views import ViewNumbers, ViewParameters, Views

Pair = tuple[Tensor, Tensor]
# A batch whose images are in memory; the call copies it to the device and augments it on the device.
Gathered = Callable[[], Pair]
# Bytes of images, or of cached views, that are copied to a GPU before a training: of CIFAR-10 150 MB.
_ON_GPU = 1 << 30


class ViewBatches:
    """Two views of every training image, batch by batch: cached ones from the store, or fresh ones.

    The images of a batch and their views depend on (seed, epoch) alone: not on the method, not on earlier epochs, not
    on the number of processes. Each process draws for the whole batch and takes its slice.

    Args:
        store: images and cached views.
        augmentation: draws fresh views where none are cached.
        batch_size: images of a batch over all processes, a multiple of `ranks`.
        seed: of order and views.
        device: of the views.
        rank, ranks: this process's number, from 0, and the number of processes.

    Attributes:
        views: the cached ones, (N, V, size, size, C), or their features, (N, V, dim).
    """

    def __init__(
        self,
        store: TrainingImages,
        augmentation: Views,
        batch_size: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
        ranks: int = 1,
    ):
        self.images = store.images("train")
        self.views = store.views("train")
        if len(self.images) < batch_size:
            raise Problem(
                f"pretrain.batch_size = {batch_size} is larger than the training set of {len(self.images)} images: "
                "lower it."
            )
        self.augmentation, self.batch_size, self.seed, self.device = augmentation, batch_size, seed, device
        share = batch_size // ranks
        self.mine = slice(rank * share, (rank + 1) * share)
        self._on_gpu = self._copied()

    def use_features(self, features: Any) -> None:
        """Replace the cached views by their features, (N, V, dim)."""
        self.views = features
        self._on_gpu = self._copied()

    def _copied(self) -> Tensor | None:
        """Copy the views, or the images of fresh views, as rows to the GPU; None if too large, or without a GPU."""
        array = self.views if self.views.shape[1] else self.images
        if self.device.type != "cuda" or math.prod(array.shape) * array.dtype.itemsize > _ON_GPU:
            return None
        rows = torch.from_numpy(np.array(array[:]))  # a copy, as torch wants memory that may be written
        return (rows.flatten(0, 1) if self.views.shape[1] else rows).to(self.device)

    def __len__(self) -> int:
        return len(self.images) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[Pair]:
        """Pairs of (batch_size / ranks, C, size, size) float views in [0, 1] on the device, or of their features.

        A last short batch is left out. `epoch` counts from 1.
        """
        batches = self._gathered(epoch)
        # On a CPU the step already has all of its cores, and a thread would take one from another training.
        if self.device.type == "cuda":
            batches = _one_ahead(batches)
        for batch in batches:
            yield batch()

    def _gathered(self, epoch: int) -> Iterator[Gathered]:
        generators = randomness.Generators(self.seed, epoch, "views")
        order = torch.randperm(len(self.images), generator=randomness.generator(self.seed, epoch, "order"))
        gather, array = (self._cached, self.views) if self.views.shape[1] else (self._fresh, self.images)
        batch_bytes = max(array[0].nbytes, READ_AROUND) * self.batch_size
        between = max(1, FORGET_AFTER // batch_bytes)
        for step in range(len(self)):
            yield gather(order[step * self.batch_size : (step + 1) * self.batch_size], generators)
            if step % between == between - 1:
                release_pages(array)

    def _fresh(self, rows: Tensor, generators: randomness.Generators) -> Gathered:
        _, height, width, _ = self.images.shape
        drawn = [self.augmentation.draw(len(rows), height, width, generators)[self.mine] for _ in range(2)]
        images = self._read(self.images, rows[self.mine])
        if self.device.type == "cpu":
            return partial(self._one_by_one, images, drawn)
        return partial(self._both_at_once, images, self.augmentation.numbers(ViewParameters.joined(drawn)).pinned())

    def _one_by_one(self, images: Tensor, drawn: list[ViewParameters]) -> Pair:
        return tuple(self.augmentation.apply(images, parameters) for parameters in drawn)

    def _both_at_once(self, images: Tensor, numbers: ViewNumbers) -> Pair:
        images = self._given(images)
        return self.augmentation.apply_numbers(torch.cat([images, images]), numbers.to(self.device)).chunk(2)

    def _cached(self, rows: Tensor, generators: randomness.Generators) -> Gathered:
        count, draw = self.views.shape[1], generators["cached"]
        first = torch.randint(count, (len(rows),), generator=draw)
        second = (first + torch.randint(1, count, (len(rows),), generator=draw)) % count  # another view than the first
        pair = [self._read(self.views, rows[self.mine], view[self.mine]) for view in (first, second)]
        return partial(self._floats, pair)

    def _floats(self, pair: list[Tensor]) -> Pair:
        pair = [self._given(views) for views in pair]
        return tuple(v.float() if v.ndim == 2 else v.permute(0, 3, 1, 2).float() / 255 for v in pair)

    def _read(self, array: Any, *index: Tensor) -> Tensor:
        """The tensor to send to the device: array[index], or its row numbers if the array is on the GPU."""
        if self._on_gpu is None:
            sent = torch.from_numpy(array[tuple(part.numpy() for part in index)])
        else:
            image, *view = index
            sent = image * array.shape[1] + view[0] if view else image
        # From pageable memory a copy to the GPU would wait for the work that the GPU still has to do.
        return sent.pin_memory() if self.device.type == "cuda" else sent

    def _given(self, sent: Tensor) -> Tensor:
        """Copy what `_read` returned to the device, and return array[index]."""
        sent = sent.to(self.device, non_blocking=True)
        return sent if self._on_gpu is None else self._on_gpu.index_select(0, sent)


def _one_ahead(items: Iterator[Gathered]) -> Iterator[Gathered]:
    """Yield the items in order; a thread makes the next item while the current one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
