"""Test images that lose information step by step: graded crops, and augmentations one at a time.

Random numbers come from the seed and are the same for every method. Those of an augmentation are drawn once per image
and serve all its strengths; the place of a crop is drawn for each area. docs/reading.md states what each strength
means.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partialmethod

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.core.randomness import generator
from vi_simsiam.evaluation.features import CPU, batches, to_device
from vi_simsiam.transforms.colour import blend_, luma, shift_hue_
from vi_simsiam.transforms.spatial import blur, crop_resize

COLOUR = ("saturation", "hue", "grey")  # do nothing to images of one channel


def graded_boxes(n: int, areas: list[float], size: int, seed: int) -> dict[str, np.ndarray]:
    """Square crops of given areas at random places, one per image and area.

    Args:
        n: number of images, size x size pixels.
        areas: shares of the image's area, in (0, 1].
        seed: of the places.

    Returns: columns of n x len(areas) rows, images in order, an image's areas in the order given: index, area,
        top, left, height, width (pixels; sides are whole, so the share is only nearly `area`).
    """
    sides = np.clip(np.rint(np.sqrt(areas) * size), 1, size).astype(int)
    place = torch.rand(n, len(areas), 2, generator=generator(seed, "graded crops"), dtype=torch.float64).numpy()
    corner = np.floor(place * (size - sides + 1)[None, :, None]).astype(int)
    side = np.tile(sides, n)
    return {
        "index": np.repeat(np.arange(n), len(areas)),
        "area": np.tile(np.asarray(areas, float), n),
        "top": corner[..., 0].ravel(),
        "left": corner[..., 1].ravel(),
        "height": side,
        "width": side,
    }


def crop_batches(
    images: np.ndarray, boxes: dict[str, np.ndarray], batch_size: int, device: torch.device = CPU
) -> Iterator[Tensor]:
    """The crops of `graded_boxes`, resized to the images' size: float batches (B, C, size, size) in [0, 1]."""
    size = images.shape[1]
    corners = torch.from_numpy(np.stack([boxes[name] for name in ("top", "left", "height", "width")]))
    for start in range(0, corners.shape[1], batch_size):
        rows = slice(start, start + batch_size)
        source = to_device(torch.from_numpy(images[boxes["index"][rows]]), device)
        yield crop_resize(source, to_device(corners[:, rows].contiguous(), device), size, reduces=False)


def steps(strengths: Mapping[str, Sequence[float]], channels: int) -> list[tuple[str, float]]:
    """(augmentation, strength) of every step that changes something, for images of 1 or 3 channels."""
    return [
        (name, strength)
        for name, values in strengths.items()
        if channels == 3 or name not in COLOUR
        for strength in values
        if strength > 0
    ]


class Augmentations:
    """One augmentation at a time on whole images.

    Random numbers are drawn on the CPU, so that they are equal for all devices; images are changed on the device.

    Args:
        images: uint8 (N, size, size, C).
        seed: of directions, places and noise.
        device: where the changed images are wanted.
    """

    def __init__(self, images: np.ndarray, seed: int, device: torch.device = CPU):
        self.images, self.seed, self.device = images, seed, device
        self._drawn = {
            name: torch.rand(len(images), 2, generator=generator(seed, "graded", name), dtype=torch.float64)
            for name in ("brightness", "contrast", "saturation", "hue", "occlusion")
        }

    def batches(self, augmentation: str, strength: float, batch_size: int) -> Iterator[Tensor]:
        """All images at one strength > 0 of an augmentation: float batches (B, C, size, size) in [0, 1]."""
        change = getattr(self, f"_{augmentation}")
        start = 0
        for pictures in batches(self.images, batch_size, self.device):
            yield change(pictures, strength, np.arange(start, start + len(pictures)))
            start += len(pictures)

    def _direction(self, name: str, rows: np.ndarray) -> Tensor:
        """-1 or 1 for each image."""
        return torch.where(self._drawn[name][rows, 0] < 0.5, -1.0, 1.0)

    def _blended(self, pictures: Tensor, strength: float, rows: np.ndarray, name: str, grey: int, mean: int) -> Tensor:
        factor = to_device(torch.exp2(strength * self._direction(name, rows)).float(), self.device)
        blend_(pictures.transpose(0, 1), factor, grey * (1 - factor), mean * (1 - factor))
        return pictures

    _brightness = partialmethod(_blended, name="brightness", grey=0, mean=0)
    _contrast = partialmethod(_blended, name="contrast", grey=0, mean=1)
    _saturation = partialmethod(_blended, name="saturation", grey=1, mean=0)

    def _hue(self, pictures: Tensor, strength: float, rows: np.ndarray) -> Tensor:
        planes = pictures.transpose(0, 1).contiguous()
        shift_hue_(planes, to_device((strength * self._direction("hue", rows)).float(), self.device))
        return planes.transpose(0, 1)

    def _grey(self, pictures: Tensor, strength: float, rows: np.ndarray) -> Tensor:
        return torch.lerp(pictures, luma(pictures.transpose(0, 1))[:, None].expand_as(pictures), strength)

    def _blur(self, pictures: Tensor, strength: float, rows: np.ndarray) -> Tensor:
        # Three standard deviations to each side hold 99.7 %; the mirrored border bounds the reach.
        reach = min(max(1, math.ceil(3 * strength)), pictures.shape[3] - 1)
        return blur(pictures, torch.full((len(pictures),), strength, device=self.device), 2 * reach + 1)

    def _noise(self, pictures: Tensor, strength: float, rows: np.ndarray) -> Tensor:
        # A generator for each image: the noise depends neither on the batches nor on the number of images.
        draws = [torch.randn(pictures.shape[1:], generator=generator(self.seed, "noise", int(row))) for row in rows]
        return (pictures + strength * to_device(torch.stack(draws), self.device)).clamp_(0, 1)

    def _occlusion(self, pictures: Tensor, strength: float, rows: np.ndarray) -> Tensor:
        size = pictures.shape[3]
        side = min(size, max(1, round(math.sqrt(strength) * size)))
        corner = torch.floor(self._drawn["occlusion"][rows] * (size - side + 1))
        top, left = to_device(corner, self.device).unbind(1)
        pixel = torch.arange(size, device=self.device)
        inside = [(pixel >= first[:, None]) & (pixel < first[:, None] + side) for first in (top, left)]
        hidden = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
        return torch.where(hidden, pictures.mean((2, 3), keepdim=True), pictures)
