"""Crops, resizes and blurs of whole batches as products with small matrices, one pair per image.

Bilinear interpolation and Gaussian blur are separable and linear, so an image x of shape (H, W) becomes
`rows @ x @ columns.T` with `rows` (size, H) and `columns` (size, W). Every image of a batch has its own
matrices, and the whole batch is two batched matrix products, on any device.
"""

import torch
from torch import Tensor


def crop_weights(start: Tensor, length: Tensor, source: int, size: int, flip: Tensor | None = None) -> Tensor:
    """Matrices that cut `length` pixels from `start` out of an axis and resize them to `size` pixels.

    The weights are those of Pillow's and torchvision's antialiased bilinear filter: a triangle whose width
    grows with the reduction, cut off at the crop's border (what is outside the crop has no influence).

    Args:
        start: (n,) first pixel of each crop; with `length`, inside 0..source.
        length: (n,) pixels of each crop, at least 1.
        source: pixels of the axis.
        size: pixels of the result.
        flip: (n,) bool, which results are mirrored along this axis. None: none of them.

    Returns: (n, size, source) float32 on the device of `start`; every row sums to 1.
    """
    device = start.device
    target = torch.arange(size, device=device, dtype=torch.float32)
    if flip is None:
        target = target[None]
    else:
        target = torch.where(flip[:, None], size - 1 - target, target)
    start, length = start.to(torch.float32)[:, None], length.to(torch.float32)[:, None]
    scale = length / size
    centre = start + scale * (target + 0.5)  # (n, size), where each result pixel falls in the source
    pixel = torch.arange(source, device=device, dtype=torch.float32)  # covers pixel .. pixel + 1
    weights = ((pixel + 0.5) - centre[..., None]).abs_()
    weights.mul_(-1.0 / scale.clamp_min(1.0)[..., None]).add_(1.0).clamp_min_(0.0)
    inside = (pixel >= start) & (pixel < start + length)  # (n, source)
    weights.mul_(inside[:, None])
    return weights.div_(weights.sum(-1, keepdim=True))


def blur_weights(sigma: Tensor, kernel: int, size: int) -> Tensor:
    """Matrices of a Gaussian blur along an axis, the border mirrored without repeating its pixel.

    Args:
        sigma: (n,) standard deviations in pixels, > 0.
        kernel: odd number of pixels that the filter covers, less than 2 * `size`.
        size: pixels of the axis.

    Returns: (n, size, size) float32. As torchvision's `gaussian_blur` with this kernel size.
    """
    reach = kernel // 2
    offset = torch.arange(-reach, reach + 1, device=sigma.device)
    density = torch.exp(-0.5 * (offset / sigma[:, None]).square())
    density = (density / density.sum(1, keepdim=True)).to(torch.float32)
    pixel = torch.arange(size, device=sigma.device)
    taken = pixel[:, None] + offset  # (size, kernel), may lie outside
    taken = taken.abs()
    taken = torch.where(taken < size, taken, 2 * (size - 1) - taken)
    shifts = torch.nn.functional.one_hot(taken, size).to(torch.float32)  # (size, kernel, size)
    return (density @ shifts.transpose(0, 1).reshape(kernel, -1)).view(-1, size, size)


def resample(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """`rows @ plane @ columns.T` for every channel and image.

    Args:
        planes: (C, n, H, W) float32.
        rows: (n, S, H). columns: (n, T, W).

    Returns: (C, n, S, T) float32.
    """
    columns = columns.transpose(1, 2)
    out = planes.new_empty(*planes.shape[:2], rows.shape[1], columns.shape[2])
    for plane, result in zip(planes, out, strict=True):
        torch.bmm(rows, torch.bmm(plane, columns), out=result)
    return out


def to_planes(images: Tensor) -> Tensor:
    """(n, H, W, C) uint8, or floating point in [0, 1], as (C, n, H, W) float32 in [0, 1].

    Channels come first because every colour operation then runs on contiguous planes.
    """
    if images.dtype == torch.uint8:
        return images.permute(3, 0, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).mul_(1 / 255)
    return images.permute(3, 0, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)


def fixed_crops(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut a given box out of every image and resize it, antialiased, to `size` x `size`.

    Args:
        images: (n, H, W, C) uint8, or floating point in [0, 1].
        boxes: (n, 4) integers top, left, height, width in pixels, inside the image (on the CPU: no waiting).
        size: pixels of the results' sides.

    Returns: (n, C, size, size) float32 in [0, 1], on the device of `images`.
    Raises: ValueError when a box lies outside the images.
    """
    _, height, width, _ = images.shape
    top, left, h, w = boxes.unbind(1)
    outside = (top < 0) | (left < 0) | (h < 1) | (w < 1) | (top + h > height) | (left + w > width)
    if outside.any():
        raise ValueError(f"box {boxes[outside][0].tolist()} lies outside the images of {height} x {width} pixels")
    top, left, h, w = boxes.to(images.device).unbind(1)
    crops = resample(to_planes(images), crop_weights(top, h, height, size), crop_weights(left, w, width, size))
    return crops.transpose(0, 1).contiguous()


def resize(images: Tensor, size: int) -> Tensor:
    """Resize uint8 images (n, H, W, C), antialiased, to (n, size, size, C) uint8, whatever their device.

    Of images that are not square the largest central square is taken.
    """
    n, height, width, _ = images.shape
    if height == width == size:
        return images
    side = min(height, width)
    boxes = torch.tensor([[(height - side) // 2, (width - side) // 2, side, side]]).expand(n, 4)
    return to_uint8(fixed_crops(images, boxes, size))


def to_uint8(images: Tensor) -> Tensor:
    """(n, C, H, W) in [0, 1], rounded to the nearest of 256 levels, as (n, H, W, C) uint8."""
    return (images * 255).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
