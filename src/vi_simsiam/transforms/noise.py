"""Gaussian noise as a function of a seed per image: the same on every device (but for rounding) and in every batch.

A GPU's generator draws other numbers than a CPU's, and its state carries over from image to image. So each number here
is a hash of the image's seed and the number's position, made uniform and then normal (Box and Muller 1958).
"""

import math

import torch
from torch import Tensor

SEEDS = 1 << 24  # all whole numbers below it are exact in float32


def with_noise(images: Tensor, sigma: Tensor, seeds: Tensor) -> Tensor:
    """Add Gaussian noise to images, with a standard deviation per image, and clip them to [0, 1].

    Args:
        images: (n, C, S, S) float32 in [0, 1], each of less than 2**24 values.
        sigma: (n,) standard deviations >= 0, in pixel values.
        seeds: (n,) whole numbers in [0, SEEDS), of any dtype.

    Returns: (n, C, S, S) float32; between CPU and GPU the noise differs by rounding errors.
    """
    noise = standard_normal(seeds, math.prod(images.shape[1:])).view_as(images)
    return noise.mul_(sigma[:, None, None, None]).add_(images).clamp_(0, 1)


def standard_normal(seeds: Tensor, count: int) -> Tensor:
    """Standard normal numbers (n, count) float32, each row a function of its seed alone; all within +-5.9."""
    half = (count + 1) // 2
    place = torch.arange(2 * half, dtype=torch.int32, device=seeds.device)
    # Seeds are shifted beyond all positions, so that no seed has the hash of a position: equal hashes would give 0.
    bits = _mixed(_mixed(seeds.to(torch.int32) + SEEDS)[:, None] ^ _mixed(place))
    uniform = ((bits >> 8) & (SEEDS - 1)).to(torch.float32).add_(0.5).mul_(1 / SEEDS)
    radius, angle = uniform[:, :half].log().mul_(-2).sqrt_(), uniform[:, half:] * (2 * math.pi)
    return torch.cat([angle.cos().mul_(radius), angle.sin().mul_(radius)], 1)[:, :count]


def _mixed(x: Tensor) -> Tensor:
    """Hash int32 numbers by the 32-bit finaliser of MurmurHash3 (Austin Appleby, public domain).

    Signed numbers serve as unsigned ones, because torch has few operations on those.
    """
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ _shifted(x, shift)) * (factor - (1 << 32))
    return x ^ _shifted(x, 16)


def _shifted(x: Tensor, by: int) -> Tensor:
    """32 bits shifted to the right, with zeros from the left."""
    return (x >> by) & ((1 << (32 - by)) - 1)
