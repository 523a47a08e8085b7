"""Augmented views of whole batches, on any device, and the random parameters that define them.

The augmentations are SimSiam's: random resized crop, colour jitter, grey, blur, flip, with the distributions of
torchvision's RandomResizedCrop, RandomApply(ColorJitter), RandomGrayscale, RandomApply(GaussianBlur) and
RandomHorizontalFlip. Gaussian noise, after all of these, is not part of SimSiam and is off by default.
Drawing and applying are two steps: `Views.draw` gives numbers, and `Views.apply` is a function of images and
numbers alone. `cache_views` stores the results of both; training can also call them for every batch.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.transforms.colour import JitterGroups, grey_, jitter_, luma
from vi_simsiam.transforms.noise import SEEDS, with_noise
from vi_simsiam.transforms.spatial import blur, crop_resize

_TRIES = 10  # random crops before torchvision takes a central one
_ROWS = 9  # rows of `ViewNumbers.table` before those of the colour jitter
_CACHED = 1 << 17  # pixels of the views that a CPU computes at once, so that their planes stay in its cache


@dataclass(frozen=True)
class ViewParameters:
    """Random parameters of n views: CPU tensors (n,), except `order` (n, 4).

    Crop positions and sizes are in pixels of the source image; `crop_area` is the crop's share of the image's area, in
    (0, 1]. The value of an operation that is not applied to a view changes nothing: 1 for the factors of
    brightness, contrast and saturation, 0 for hue (turns, -0.5 to 0.5), blur_sigma (pixels of the view) and noise_sigma
    (pixel values in [0, 1]).
    """

    crop_top: Tensor  # int64
    crop_left: Tensor
    crop_height: Tensor
    crop_width: Tensor
    crop_area: Tensor  # float32
    flip: Tensor  # bool
    jitter: Tensor  # bool
    brightness: Tensor  # float32
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    grey: Tensor  # bool
    blur_sigma: Tensor  # float32
    noise_sigma: Tensor  # float32
    noise_seed: Tensor  # int64, of `noise.with_noise`
    order: Tensor  # int64; a row lists brightness 0, contrast 1, saturation 2, hue 3 as they are applied

    def __len__(self) -> int:
        return len(self.crop_top)

    def __getitem__(self, rows: slice | Tensor) -> "ViewParameters":
        """Select the parameters of some views."""
        return ViewParameters(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @staticmethod
    def joined(parts: Sequence["ViewParameters"]) -> "ViewParameters":
        """Concatenate parameters of several sets of views."""
        names = [field.name for field in fields(ViewParameters)]
        return ViewParameters(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def table(self) -> dict[str, np.ndarray]:
        """The columns of the parameter table, without `noise_seed` and `order`; row i is view i."""
        names = [field.name for field in fields(self) if field.name not in ("noise_seed", "order")]
        return {name: getattr(self, name).numpy() for name in names}


class ViewNumbers(NamedTuple):
    """`ViewParameters` for a GPU: one tensor, and flags on the CPU for the operations that any view has.

    Attributes:
        table: (k, n) float32, a column per view: crop (4), flip, grey, blur_sigma, noise_sigma, noise_seed, and the
            numbers of the colour jitter.
        reduces: whether a crop may be larger than its view.
        greys, blurs, noises: whether any view is grey, blurred, noisy.
    """

    table: Tensor
    reduces: bool
    greys: bool
    blurs: bool
    noises: bool

    def pinned(self) -> "ViewNumbers":
        """Copy the table to pinned memory; copying it to a GPU then does not wait for the GPU's earlier work."""
        return self._replace(table=self.table.pin_memory())

    def to(self, device: torch.device) -> "ViewNumbers":
        return self._replace(table=self.table.to(device, non_blocking=True))


class Views:
    """Draws and applies augmentations for images of one kind.

    Args:
        augmentation: probabilities and ranges, as section `cache_views.augmentation` of params.yaml
            (`vi_simsiam.config.schema.AugmentationParams`).
        size: pixels of a view's sides.
        channels: 1 or 3. Saturation, hue and grey do nothing to one channel and are recorded as not applied.
    """

    def __init__(self, augmentation: Any, size: int, channels: int = 3):
        self.augmentation, self.size, self.channels = augmentation, size, channels
        # SimCLR's rule: a tenth of the image's side; odd, at least 3.
        self.blur_kernel = max(3, 2 * (size // 20) + 1)

    def draw(self, n: int, height: int, width: int, *generators: Mapping[str, torch.Generator]) -> ViewParameters:
        """Parameters of views of images of `height` x `width` pixels: n by each of `generators`, one after the other.

        Each augmentation draws from the generator of its name, on the CPU, so that views are the same on every device.
        The count of its draws does not depend on its probability and range. So neither a change of one augmentation
        nor a new one shifts the draws of the others.

        Args:
            generators: at least one, each by name, as of `vi_simsiam.core.randomness.Generators`. Each draw advances
                them.
        """
        a, colour = self.augmentation, self.channels == 3

        def uniform(name: str, *shape: int) -> Tensor:
            return torch.cat([torch.rand(n, *shape, generator=each[name], dtype=torch.float64) for each in generators])

        def factor(name: str, strength: float) -> Tensor:
            drawn = _uniform(max(0.0, 1.0 - strength), 1.0 + strength, uniform(name))
            return torch.where(jitter, drawn, 1.0).to(torch.float32)

        top, left, h, w = _crops(uniform("crop", 2 * _TRIES + 2), height, width, a.crop_scale, a.crop_ratio)
        jitter = uniform("jitter") < a.jitter
        blur, blur_sigma = uniform("blur", 2).unbind(1)
        noise, noise_sigma, noise_seed = uniform("noise", 3).unbind(1)

        blurs, noises = (a.blur_sigma[0], a.blur_sigma[1]), (a.noise_sigma[0], a.noise_sigma[1])
        return ViewParameters(
            crop_top=top, crop_left=left, crop_height=h, crop_width=w,
            crop_area=(h * w / (height * width)).to(torch.float32),
            flip=uniform("flip") < a.flip,
            jitter=jitter,
            brightness=factor("brightness", a.brightness),
            contrast=factor("contrast", a.contrast),
            saturation=factor("saturation", a.saturation if colour else 0.0),
            hue=torch.where(jitter, _uniform(-a.hue, a.hue, uniform("hue")), 0.0).to(torch.float32) * colour,
            grey=(uniform("grey") < a.grey) & colour,
            blur_sigma=torch.where(blur < a.blur, _uniform(*blurs, blur_sigma), 0.0).to(torch.float32),
            noise_sigma=torch.where(noise < a.noise, _uniform(*noises, noise_sigma), 0.0).to(torch.float32),
            noise_seed=(noise_seed * SEEDS).long(),
            order=uniform("order", 4).argsort(1),
        )  # fmt: skip

    @torch.no_grad()
    def apply(self, images: Tensor, parameters: ViewParameters) -> Tensor:
        """Make view i of image i, for every i.

        Args:
            images: (n, H, W, C) uint8, or floating point in [0, 1], on any device.
            parameters: n rows, drawn for images of H x W.

        Returns: (n, C, size, size) float32 in [0, 1], not normalised, on the device of `images`. Differs from
        torchvision's functions on float images by rounding errors of float32, less than 1e-5.
        """
        n, channels = len(images), images.shape[3]
        if len(parameters) != n or channels != self.channels:
            raise ValueError(f"{len(parameters)} views with {self.channels} channels of images {tuple(images.shape)}")
        if images.device.type == "cuda":
            return self.apply_numbers(images, self.numbers(parameters).pinned().to(images.device))
        size, p = self.size, parameters
        jitter = _jitter(p)
        # Views of a group are adjacent, the grey ones last, so that operations except blur and noise work on slices.
        rows = (2 * jitter.group + p.grey).argsort(stable=True)
        numbers = torch.cat([_table(p), jitter.numbers])[:, rows]
        reduces = self._reduces(p)
        group, grey, blurred, noisy = jitter.group[rows], p.grey[rows], p.blur_sigma[rows] > 0, p.noise_sigma[rows] > 0
        out = torch.empty(n, channels, size, size)
        for first, last in _runs(group, most=max(1, _CACHED // size**2)):
            number = numbers[:, first:last]
            source = images.index_select(0, rows[first:last])
            views = crop_resize(source, number[:4], size, flip=number[4].bool(), reduces=reduces)
            planes = views.transpose(0, 1)
            jitter.run_(int(group[first]), planes, number[_ROWS:])
            if count := int(grey[first:last].sum()):
                grey_(planes[:, -count:])
            if len(chosen := blurred[first:last].nonzero().squeeze(1)):
                views[chosen] = blur(views[chosen], number[6, chosen], self.blur_kernel)
            if len(chosen := noisy[first:last].nonzero().squeeze(1)):
                views[chosen] = with_noise(views[chosen], *number[7:_ROWS, chosen])
            out[rows[first:last]] = views
        return out

    def numbers(self, parameters: ViewParameters) -> ViewNumbers:
        """Convert parameters to the form that `apply_numbers` takes, on the CPU."""
        p = parameters
        table = torch.cat([_table(p), _jitter(p).in_one_sequence()])
        blurs, noises = (bool((sigma > 0).any()) for sigma in (p.blur_sigma, p.noise_sigma))
        return ViewNumbers(table, self._reduces(p), bool(p.grey.any()), blurs, noises)

    @torch.no_grad()
    def apply_numbers(self, images: Tensor, numbers: ViewNumbers) -> Tensor:
        """Do the same as `apply`, in few operations whose shapes do not depend on the draws: no groups, no indices.

        Every view passes through all operations that any view has; if it should not have one, its numbers change
        nothing. This suits a GPU, where starting an operation takes as long as running it. A CPU is faster by groups.

        Args:
            images: (n, H, W, C), as for `apply`.
            numbers: of n views, on the device of `images`.

        Returns: as `apply`.
        """
        flip, grey, blur_sigma, noise_sigma, noise_seed = numbers.table[4:_ROWS]
        views = crop_resize(images, numbers.table[:4], self.size, flip=flip.bool(), reduces=numbers.reduces)
        jitter_(views.transpose(0, 1), numbers.table[_ROWS:])
        if numbers.greys:
            views = torch.where(grey.bool()[:, None, None, None], luma(views.transpose(0, 1))[:, None], views)
        if numbers.blurs:
            views = blur(views, blur_sigma, self.blur_kernel)
        return with_noise(views, noise_sigma, noise_seed) if numbers.noises else views

    def _reduces(self, parameters: ViewParameters) -> bool:
        """True if any crop has a longer side than its view."""
        return bool((torch.maximum(parameters.crop_height, parameters.crop_width) > self.size).any())


def _table(p: ViewParameters) -> Tensor:
    """(_ROWS, n) float32: the first rows of `ViewNumbers.table`."""
    crop = p.crop_top, p.crop_left, p.crop_height, p.crop_width
    columns = *crop, p.flip, p.grey, p.blur_sigma, p.noise_sigma, p.noise_seed
    return torch.stack([column.to(torch.float32) for column in columns])


def _jitter(p: ViewParameters) -> JitterGroups:
    return JitterGroups(p.jitter, torch.stack([p.brightness, p.contrast, p.saturation], 1), p.hue, p.order)


def _runs(group: Tensor, most: int) -> Iterator[tuple[int, int]]:
    """(first, last) of every run of equal values in the sorted `group`, cut into pieces of at most `most`."""
    end = 0
    for count in torch.bincount(group).tolist():
        start, end = end, end + count
        for first in range(start, end, most):
            yield first, min(first + most, end)


def _crops(u: Tensor, height: int, width: int, scale: Any, ratio: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """RandomResizedCrop.get_params of torchvision, for each row of uniform numbers u (n, 2 * tries + 2)."""
    area = _uniform(scale[0], scale[1], u[:, :_TRIES]) * (height * width)
    aspect = torch.exp(_uniform(math.log(ratio[0]), math.log(ratio[1]), u[:, _TRIES : 2 * _TRIES]))
    w = torch.round(torch.sqrt(area * aspect))  # to even on a tie, as Python's round
    h = torch.round(torch.sqrt(area / aspect))
    fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
    first = fits.to(torch.int8).argmax(1, keepdim=True)
    w, h = w.gather(1, first).squeeze(1), h.gather(1, first).squeeze(1)
    top = torch.floor(u[:, -2] * (height - h + 1))
    left = torch.floor(u[:, -1] * (width - w + 1))
    none = ~fits.any(1)
    central_w, central_h = width, height
    if width / height < ratio[0]:
        central_h = round(width / ratio[0])
    elif width / height > ratio[1]:
        central_w = round(height * ratio[1])
    w, h = w.masked_fill(none, central_w), h.masked_fill(none, central_h)
    top = top.masked_fill(none, (height - central_h) // 2)
    left = left.masked_fill(none, (width - central_w) // 2)
    return top.long(), left.long(), h.long(), w.long()


def _uniform(low: float, high: float, u: Tensor) -> Tensor:
    return low + (high - low) * u
