"""Augmented views per second: our batches against torchvision image by image, and kornia's batches if installed.

Everyone gets the same images and the same recipe (SimSiam's for small images: crop, jitter, grey, flip), in
memory, and gives float tensors. Torchvision works on PIL images, as in the usual training pipelines, in one process.
"""

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torchvision import transforms
from torchvision.transforms.functional import to_pil_image

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.config.schema import AugmentationParams
from vi_simsiam.core.randomness import Generators
from vi_simsiam.transforms.views import Views

RECIPE = AugmentationParams(
    crop_scale=[0.2, 1.0], crop_ratio=[3 / 4, 4 / 3], flip=0.5, jitter=0.8, brightness=0.4, contrast=0.4,
    saturation=0.4, hue=0.1, grey=0.2, blur=0.0, blur_sigma=[0.1, 2.0],
)  # fmt: skip


def ours(images: torch.Tensor) -> Callable[[], torch.Tensor]:
    n, size, _, channels = images.shape
    made, draw = Views(RECIPE, size, channels), Generators("benchmark")
    return lambda: made.apply(images, made.draw(n, size, size, draw))


def torchvision(images: torch.Tensor) -> Callable[[], torch.Tensor]:
    size, pictures = images.shape[1], [to_pil_image(image.permute(2, 0, 1)) for image in images]
    r = RECIPE
    view = transforms.Compose([
        transforms.RandomResizedCrop(size, tuple(r.crop_scale), tuple(r.crop_ratio)),
        transforms.RandomApply([transforms.ColorJitter(r.brightness, r.contrast, r.saturation, r.hue)], p=r.jitter),
        transforms.RandomGrayscale(r.grey),
        transforms.RandomHorizontalFlip(r.flip),
        transforms.ToTensor(),
    ])  # fmt: skip
    return lambda: torch.stack([view(picture) for picture in pictures])


def kornia(images: torch.Tensor) -> Callable[[], torch.Tensor]:
    import kornia.augmentation as k

    size, r = images.shape[1], RECIPE
    view = torch.nn.Sequential(
        k.RandomResizedCrop((size, size), tuple(r.crop_scale), tuple(r.crop_ratio)),
        k.ColorJitter(r.brightness, r.contrast, r.saturation, r.hue, p=r.jitter),
        k.RandomGrayscale(p=r.grey),
        k.RandomHorizontalFlip(p=r.flip),
    )
    return lambda: view(images.permute(0, 3, 1, 2).float() / 255)


def contestants() -> dict[str, Callable]:
    return {"ours": ours, "torchvision": torchvision} | (
        {"kornia": kornia} if importlib.util.find_spec("kornia") else {}
    )


def rate(make: Callable, images: torch.Tensor, seconds: float) -> float:
    """Views per second, from the median of the batches done in `seconds` (5 at least)."""
    call = make(images)
    call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return len(images) / sorted(times)[len(times) // 2]
