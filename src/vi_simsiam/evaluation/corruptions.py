"""Corruptions of CIFAR-10-C (Hendrycks and Dietterich 2019, arXiv 1903.12261) at five severities, on whole batches.

Written from the definitions and constants of the authors' `make_cifar_c.py`, whose packages would bring OpenCV and
scikit-image; docs/reading.md states the differences. Frost is left out: it is made of photographs of frost. Random
parameters are drawn once per image from the seed, the same for every method and, but for shot noise, every severity.
"""

import io
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, pad

from vi_simsiam.core.randomness import generator
from vi_simsiam.transforms.colour import luma
from vi_simsiam.transforms.spatial import blur

_SIDE = 32  # pixels of the images that the constants below are for

# Lengths are pixels of images of 32 x 32; brightness, noise and thresholds are pixel values in [0, 1].
_CONSTANTS: dict[str, tuple] = {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),  # standard deviation
    "shot_noise": (500, 250, 100, 75, 50),  # photons of a white pixel
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),  # share of the values that become 0 or 1
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),  # radius, its antialiasing
    "glass_blur": ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2)),  # blur, rounds of shuffling
    "motion_blur": (1, 1.5, 2, 2, 2.5),  # standard deviation of half a Gaussian
    "zoom_blur": (7, 12, 16, 21, 26),  # zooms of 1, 1.01, 1.02 ...
    # Mean and deviation of the flakes, their size, threshold, length and deviation of the motion, share of the image.
    "snow": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),  # thickness, smoothness
    "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),  # added to the value of HSV
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),  # factor
    # Shares of the side: amplitude of the displacement, its smoothing, distance by which three corners move.
    "elastic_transform": ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),  # share of the side
    "jpeg_compression": (80, 65, 58, 50, 40),  # quality
}  # fmt: skip


def chosen(n: int, count: int | None, seed: int) -> np.ndarray:
    """Rows of the images that are corrupted: `count` of n at random, or all of them for None; rising."""
    if count is None or count >= n:
        return np.arange(n)
    return np.sort(torch.randperm(n, generator=generator(seed, "corrupted images"))[:count].numpy())


class Corruptions:
    """One corruption at a time on whole images.

    Args:
        images: uint8 (N, S, S, C), C 1 or 3.
        index: (n,) rows of the images to corrupt. Random draws for an image do not depend on the others.
        seed: of all that is random.
    """

    def __init__(self, images: np.ndarray, index: np.ndarray, seed: int):
        self.images, self.index, self.seed = images, index, seed
        self.size = images.shape[1]
        # Smaller images have the lengths of 32 pixels, because a blur of less than a pixel would not blur.
        self.scale = max(1.0, self.size / _SIDE)

    def batches(self, corruption: str, severity: int, batch_size: int) -> Iterator[Tensor]:
        """The images, in the order of `index`, at one severity from 1 to 5: float batches (B, C, S, S) in [0, 1]."""
        corrupt, constants = getattr(self, f"_{corruption}"), _CONSTANTS[corruption][severity - 1]
        for start in range(0, len(self.index), batch_size):
            rows = self.index[start : start + batch_size]
            pictures = torch.from_numpy(np.array(self.images[rows])).permute(0, 3, 1, 2).float() / 255
            yield corrupt(pictures, constants, [generator(self.seed, corruption, int(row)) for row in rows])

    def _gaussian_noise(self, x: Tensor, deviation: float, draws: list[torch.Generator]) -> Tensor:
        return (x + deviation * _each(draws, torch.randn, *x.shape[1:])).clamp_(0, 1)

    def _shot_noise(self, x: Tensor, photons: float, draws: list[torch.Generator]) -> Tensor:
        drawn = [torch.poisson(image * photons, generator=draw) for image, draw in zip(x, draws, strict=True)]
        return (torch.stack(drawn) / photons).clamp_(0, 1)

    def _impulse_noise(self, x: Tensor, share: float, draws: list[torch.Generator]) -> Tensor:
        place = _each(draws, torch.rand, *x.shape[1:])
        return torch.where(place < share / 2, 0.0, torch.where(place >= 1 - share / 2, 1.0, x))

    def _defocus_blur(self, x: Tensor, constants: tuple[float, float], draws: list[torch.Generator]) -> Tensor:
        radius, sigma = constants
        offset = torch.arange(-3, 4.0)
        disk = ((offset[:, None].square() + offset.square()) <= radius**2).float()
        taps = torch.exp(-0.5 * (torch.tensor([-1.0, 0, 1]) / sigma).square())
        kernel = conv2d(disk[None, None], (taps[:, None] * taps)[None, None], padding=1)[0, 0]
        reach = math.ceil(3 * self.scale)
        stretched = (1 - (torch.arange(-reach, reach + 1.0)[:, None] / self.scale - offset).abs()).clamp_min(0)
        kernel = stretched @ kernel @ stretched.T
        bordered = pad(x, (reach,) * 4, mode="reflect").flatten(0, 1)[:, None]
        return conv2d(bordered, (kernel / kernel.sum())[None, None]).view_as(x).clamp_(0, 1)

    def _glass_blur(self, x: Tensor, constants: tuple[float, int], draws: list[torch.Generator]) -> Tensor:
        sigma, rounds = constants
        reach = round(self.scale)
        x = self._blurred(x, sigma * self.scale)
        moved = _each(draws, torch.rand, 2, 2, self.size, self.size).mul_(2 * reach).floor_().long() - reach
        pixel = torch.arange(self.size)
        inside = (pixel > reach) & (pixel <= self.size - reach)
        image = torch.arange(len(x))[:, None, None]
        for step in moved.mul_(inside[:, None] & inside).unbind(1)[:rounds]:
            down, right = pixel[:, None] + step[:, 0], pixel + step[:, 1]
            x = x.permute(0, 2, 3, 1)[image, down, right].permute(0, 3, 1, 2)
        return self._blurred(x, sigma * self.scale).clamp_(0, 1)

    def _motion_blur(self, x: Tensor, sigma: float, draws: list[torch.Generator]) -> Tensor:
        angle = (_each(draws, torch.rand, 1)[:, 0] - 0.5) * (math.pi / 2)
        return _moved(x, angle, sigma * self.scale, 4 * sigma * self.scale).clamp_(0, 1)

    def _zoom_blur(self, x: Tensor, zooms: int, draws: list[torch.Generator]) -> Tensor:
        total = x.clone()
        for step in range(zooms):
            total += self._zoomed(x, 1 + step / 100)
        return (total / (zooms + 1)).clamp_(0, 1)

    def _snow(self, x: Tensor, constants: tuple[float, ...], draws: list[torch.Generator]) -> Tensor:
        mean, deviation, grain, threshold, length, sigma, share = constants
        flakes = mean + deviation * _each(draws, torch.randn, 1, self.size, self.size)
        flakes = self._zoomed(flakes, grain * self.scale)
        flakes = torch.where(flakes < threshold, 0.0, flakes).clamp_(0, 1)
        angle = (_each(draws, torch.rand, 1)[:, 0] - 1.5) * (math.pi / 2)
        flakes = _moved(flakes, angle, sigma * self.scale, 2 * length * self.scale)
        white = luma(x.transpose(0, 1))[:, None] * 1.5 + 0.5
        return (share * x + (1 - share) * torch.maximum(x, white) + flakes + flakes.flip(2, 3)).clamp_(0, 1)

    def _fog(self, x: Tensor, constants: tuple[float, float], draws: list[torch.Generator]) -> Tensor:
        thickness, smoothness = constants
        side = 1 << (self.size - 1).bit_length()
        plasma = _plasma(_each(draws, torch.rand, side, side) * 2 - 1, smoothness)
        brightest = x.amax((1, 2, 3), keepdim=True)
        foggy = x + thickness * plasma[:, None, : self.size, : self.size]
        return (foggy * brightest / (brightest + thickness)).clamp_(0, 1)

    def _brightness(self, x: Tensor, added: float, draws: list[torch.Generator]) -> Tensor:
        value = x.amax(1, keepdim=True)
        brighter = (value + added).clamp(max=1)
        return torch.where(value > 0, x * (brighter / value.clamp_min(1e-6)), brighter).clamp_(0, 1)

    def _contrast(self, x: Tensor, factor: float, draws: list[torch.Generator]) -> Tensor:
        return torch.lerp(x.mean((2, 3), keepdim=True).expand_as(x), x, factor)

    def _elastic_transform(self, x: Tensor, constants: tuple[float, ...], draws: list[torch.Generator]) -> Tensor:
        amplitude, sigma, distance = (share * self.size for share in constants)
        middle, third = self.size // 2, self.size // 3
        corners = middle + third * torch.tensor([[1.0, 1], [1, -1], [-1, -1]], dtype=torch.float64)
        moved = corners + distance * (_each(draws, torch.rand, 3, 2).double() * 2 - 1)
        # An affine map takes the corners to where they have moved; a result pixel looks where it came from.
        back = torch.linalg.solve(torch.cat([moved, torch.ones(len(x), 3, 1)], 2), corners.expand(len(x), 3, 2))
        down, right = torch.meshgrid(*[torch.arange(self.size, dtype=torch.float64)] * 2, indexing="ij")
        pixel = torch.stack([right, down], -1)
        source = pixel.flatten(0, 1) @ back[:, :2] + back[:, 2:]
        grid = (source.view(len(x), self.size, self.size, 2) * 2 / (self.size - 1) - 1).float()
        x = grid_sample(x, grid, padding_mode="reflection", align_corners=True)
        if amplitude:
            noise = _each(draws, torch.rand, 2, self.size, self.size) * 2 - 1
            shift = amplitude * self._blurred(noise, sigma, truncate=3).permute(0, 2, 3, 1)
            grid = ((pixel + shift + 0.5) * 2 / self.size - 1).float()
            x = grid_sample(x, grid, padding_mode="reflection", align_corners=False)
        return x.clamp_(0, 1)

    def _pixelate(self, x: Tensor, share: float, draws: list[torch.Generator]) -> Tensor:
        few = max(1, int(self.size * share))
        return _by_pillow(x, lambda p: p.resize((few, few), Image.Resampling.BOX).resize(p.size, Image.Resampling.BOX))

    def _jpeg_compression(self, x: Tensor, quality: int, draws: list[torch.Generator]) -> Tensor:
        def compressed(picture: Image.Image) -> Image.Image:
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality)
            return Image.open(file)

        return _by_pillow(x, compressed)

    def _blurred(self, x: Tensor, sigma: float, truncate: int = 4) -> Tensor:
        reach = min(int(truncate * sigma + 0.5), self.size - 1)
        return blur(x, torch.full((len(x),), sigma), 2 * reach + 1) if reach else x

    def _zoomed(self, x: Tensor, factor: float) -> Tensor:
        """The central part of images, enlarged `factor` times to the same size, as scipy.ndimage.zoom does it."""
        part = math.ceil(self.size / factor)
        enlarged = max(self.size, round(part * factor))
        place = torch.arange(self.size, dtype=torch.float64) + (enlarged - self.size) // 2
        place = (self.size - part) // 2 + place * ((part - 1) / (enlarged - 1))
        weights = (1 - (place[:, None] - torch.arange(self.size)).abs()).clamp_min(0).float()
        return weights @ x @ weights.T


def _each(draws: list[torch.Generator], draw: Callable[..., Tensor], *shape: int) -> Tensor:
    """Random numbers (n, *shape), with a generator for each image."""
    return torch.stack([draw(shape, generator=each) for each in draws])


def _moved(x: Tensor, angle: Tensor, sigma: float, length: float) -> Tensor:
    """Motion blur in a direction of each image: half a Gaussian of up to `length` pixels; the border is repeated.

    Args:
        x: (n, C, S, S). angle: (n,) radians. sigma: standard deviation, pixels.
    """
    weights = torch.exp(-0.5 * (torch.arange(math.floor(length) + 1) / sigma).square())
    pixel, image = torch.arange(x.shape[3]), torch.arange(len(x))[:, None, None]
    last = x.permute(0, 2, 3, 1).contiguous()
    total = torch.zeros_like(last)
    for step, weight in enumerate((weights / weights.sum()).tolist()):
        down, right = (torch.ceil(step * part - 0.5).long() for part in (angle.sin(), angle.cos()))
        rows, columns = ((pixel + by[:, None]).clamp(0, len(pixel) - 1) for by in (down, right))
        total += weight * last[image, rows[:, :, None], columns[:, None]]
    return total.permute(0, 3, 1, 2)


def _plasma(noise: Tensor, smoothness: float) -> Tensor:
    """Clouds by the diamond-square algorithm on a torus, (n, m, m) in [0, 1].

    Args:
        noise: (n, m, m) in [-1, 1), m a power of two: added to the mean of a point's neighbours.
        smoothness: the noise shrinks by its square from scale to scale.
    """
    height, step, amplitude = torch.zeros_like(noise), noise.shape[1], 1.0

    def fill(rows: slice, columns: slice, neighbours: Tensor) -> None:
        height[:, rows, columns] = neighbours / 4 + amplitude * noise[:, rows, columns]

    while step >= 2:
        even, odd = slice(0, None, step), slice(step // 2, None, step)
        corners = height[:, even, even]
        square = corners + corners.roll(-1, 1)
        fill(odd, odd, square + square.roll(-1, 2))
        centres = height[:, odd, odd]
        fill(even, odd, centres + centres.roll(1, 1) + corners + corners.roll(-1, 2))
        fill(odd, even, centres + centres.roll(1, 2) + corners + corners.roll(-1, 1))
        step, amplitude = step // 2, amplitude / smoothness**2
    height -= height.amin((1, 2), keepdim=True)
    return height / height.amax((1, 2), keepdim=True)


def _by_pillow(x: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    pixels = (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    pictures = [Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image) for image in pixels]
    changed = [np.array(change(picture)) for picture in pictures]
    return torch.from_numpy(np.stack(changed)).reshape(pixels.shape).permute(0, 3, 1, 2).float() / 255
