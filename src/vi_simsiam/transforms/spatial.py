"""Crops, resizes and blurs of whole batches, on any device, without a loop over images.

Bilinear interpolation is that of Pillow and torchvision: antialiased when it reduces, and pixels outside a crop do not
influence it. An enlarged crop is plain interpolation between four pixels. In a reduced crop, every pixel is a weighted
mean of many. This is separable and linear, as is Gaussian blur: an image x becomes `rows @ x @ columns.T` with two
small matrices per image, and a batch is two batched products.
"""

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, one_hot


def _in_float32(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Compute in float32 even under autocast: pixels have more levels than bfloat16 can represent."""

    @wraps(operation)
    def without_autocast(images: Tensor, *args, **kwargs) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return operation(images, *args, **kwargs)

    return without_autocast


@_in_float32
def crop_resize(images: Tensor, boxes: Tensor, size: int, flip: Tensor | None = None, reduces: bool = True) -> Tensor:
    """Cut a box out of every image, resize it to `size` x `size`, and mirror it.

    Args:
        images: (n, H, W, C) uint8, or floating point in [0, 1].
        boxes: (4, n) float32 or integer tops, lefts, heights, widths in whole pixels, inside the image.
        size: pixels of the results' sides.
        flip: (n,) bool, results to mirror left to right. None: none.
        reduces: whether a box may be larger than the result. False is faster, and wrong if a box is larger.

    Returns: (n, C, size, size) float32 in [0, 1].
    """
    _, height, width, _ = images.shape
    scale = 1 / 255 if images.dtype == torch.uint8 else 1.0
    images = (images.to(torch.float32) * scale).permute(0, 3, 1, 2)
    top, left, h, w = boxes.to(torch.float32)[..., None]
    y = x = torch.arange(size, device=images.device) + 0.5
    if flip is not None:
        x = torch.where(flip[:, None], size - x, x)
    y, x = top + y * (h / size), left + x * (w / size)  # (n, size): the result's pixel centres in the source
    if reduces:
        rows, columns = _triangles(y, top, h, height, size), _triangles(x, left, w, width, size)
        return rows[:, None] @ images @ columns[:, None].mT
    y = torch.minimum(torch.maximum(y, top + 0.5), top + h - 0.5) * (2 / height) - 1
    x = torch.minimum(torch.maximum(x, left + 0.5), left + w - 0.5) * (2 / width) - 1
    grid = torch.stack([x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], -1)
    return grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _triangles(centre: Tensor, start: Tensor, length: Tensor, source: int, size: int) -> Tensor:
    """Matrices (n, size, source) of the antialiasing filter: triangles at `centre`, cut off at the crop's border."""
    pixel = torch.arange(source, device=centre.device) + 0.5
    reach = (length / size).clamp_min(1.0)[..., None]
    weights = (1 - (pixel - centre[..., None]).abs() / reach).clamp_min(0)
    inside = (pixel > start) & (pixel < start + length)
    weights = weights * inside[:, None]
    return weights / weights.sum(-1, keepdim=True)


def to_uint8(images: Tensor) -> Tensor:
    """(n, C, H, W) in [0, 1], rounded to the nearest of 256 levels, as (n, H, W, C) uint8."""
    return (images * 255).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@_in_float32
def blur(images: Tensor, sigma: Tensor, kernel: int) -> Tensor:
    """Blur images with a Gaussian of one width per image, as torchvision's `gaussian_blur` with this kernel size.

    Args:
        images: (n, C, S, S) float32.
        sigma: (n,) standard deviations in pixels, > 0.
        kernel: odd number of pixels that the filter covers, less than 2 * S. The border is mirrored.

    Returns: (n, C, S, S) float32.
    """
    size, reach = images.shape[3], kernel // 2
    offset = torch.arange(-reach, reach + 1, device=images.device)
    sigma = sigma.clamp_min(1e-3)  # this blur changes nothing; a sigma that float32 rounds to 0 would give NaN
    density = torch.exp(-0.5 * (offset / sigma[:, None]).square())
    density = density / density.sum(1, keepdim=True)
    taken = (torch.arange(size, device=images.device)[:, None] + offset).abs()  # (S, kernel)
    taken = torch.where(taken < size, taken, 2 * (size - 1) - taken)
    shifts = one_hot(taken, size).to(torch.float32).transpose(0, 1)  # (kernel, S, S)
    weights = (density @ shifts.flatten(1)).view(-1, 1, size, size)
    return weights @ images @ weights.mT
