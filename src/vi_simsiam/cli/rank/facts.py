"""Plain facts of a photograph's pixels, which no model has a part in: sharpness, exposure, and what it looks like."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import laplace

SIDE = 256  # pixels of the central square that facts are taken of: sharpness depends on it
_DARK, _BRIGHT = 5, 250  # of 255: levels up to which, and from which on, nothing is to be seen
_HASHED = 32  # pixels of the square whose hash is taken
_LOW = 8  # frequencies of it, in each direction


@dataclass(frozen=True)
class Fact:
    """A column of facts. name: the column's; label: for people; range: with the unit; explained: in one sentence."""

    name: str
    label: str
    range: str
    explained: str


FACTS = (
    Fact(
        "sharpness", "sharpness", "[0, inf) squared grey levels",
        f"Variance of the Laplacian of the luma of the central square at {SIDE} x {SIDE} pixels: low for blurred "
        "images, and as low for sharp ones of smooth things; a smaller file looks blurred.",
    ),
    Fact(
        "mean_luma", "mean luma", "[0, 1]",
        "How bright the image is, 0 black and 1 white; not whether it should be.",
    ),
    Fact(
        "dark_share", "clipped dark", "[0, 1]",
        f"Share of the pixels with a luma of at most {_DARK} of 255: underexposed, or a black ground.",
    ),
    Fact(
        "bright_share", "clipped bright", "[0, 1]",
        f"Share of the pixels with a luma of at least {_BRIGHT} of 255: overexposed, or a white ground.",
    ),
)  # fmt: skip


def of_luma(pixels: np.ndarray) -> tuple[np.ndarray, np.uint64]:
    """Facts, (4,) float32 in the order of FACTS, and perceptual hash, of the luma of an image's central square.

    Args:
        pixels: (SIDE, SIDE) uint8.
    """
    luma = pixels.astype(np.float32)
    shares = (luma <= _DARK).mean(), (luma >= _BRIGHT).mean()
    return np.array([laplace(luma).var(), luma.mean() / 255, *shares], np.float32), perceptual_hash(luma)


def perceptual_hash(luma: np.ndarray) -> np.uint64:
    """64 bits that edits of an image leave nearly the same: which low frequencies of it are above their median.

    Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), sec. 3.2.1 (pHash).

    Args:
        luma: (SIDE, SIDE).
    """
    step = SIDE // _HASHED
    small = luma.reshape(_HASHED, step, _HASHED, step).mean((1, 3))
    low = dctn(small)[:_LOW, :_LOW]
    return np.packbits(low > np.median(low)).view(np.uint64)[0]


def bits_apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of bits, 0 to 64, in which hashes differ."""
    return np.bitwise_count(first ^ second)
