"""Facts of an image that need no model: sharpness, exposure, size, and a small copy by which copies are found."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import laplace

from vi_simsiam.data.decode import square_luma

SIDE = 256  # side in pixels to which the central square is resized before it is measured
_DARK, _BRIGHT = 5, 250  # of 255: pixels up to the first count as black, from the second on as white
LOOK = 32  # side in pixels of the small square by which copies are found


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
        f"Variance of the Laplacian of the central square, reduced to {SIDE} x {SIDE} pixels if it has more: low for "
        "blurred images, but also for enlarged ones and for sharp images of smooth things.",
    ),
    Fact(
        "mean_luma", "mean brightness", "[0, 1]",
        "Mean brightness of the central square, 0 black and 1 white. It does not tell if the exposure is right.",
    ),
    Fact(
        "dark_share", "black pixels", "[0, 1]",
        f"Share of the central square that is almost black (at most {_DARK} of 255): underexposed, or on a black "
        "background.",
    ),
    Fact(
        "bright_share", "white pixels", "[0, 1]",
        f"Share of the central square that is almost white (at least {_BRIGHT} of 255): overexposed, or on a white "
        "background.",
    ),
    Fact(
        "highlight", "highlights", "[0, 1]",
        "Brightness that 1 % of the central square exceeds: low for an image in which nothing is bright.",
    ),
    Fact("width", "width", "pixels", "Pixels of the upright image from left to right."),
    Fact("height", "height", "pixels", "Pixels of the upright image from top to bottom."),
    Fact("pages", "pages", "number", "Pages or frames in the file. Only the first is ranked without --pages all."),
)  # fmt: skip


def measure(image: Image.Image, width: int, height: int, pages: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Facts of an image, (8,) float32 in the order of FACTS, and its look, by which copies are found.

    Args:
        image: L or RGB, perhaps decoded with fewer pixels. width, height: of the image. pages: of its file.

    Returns: facts, and uint8 (LOOK, LOOK), the central square at fewer pixels.
    """
    pixels = square_luma(image, SIDE)
    luma = pixels.astype(np.float32)
    # Enlarged, a small image is smooth: its blurred copy would hardly differ from it.
    unenlarged = luma if min(image.size) >= SIDE else square_luma(image, min(image.size)).astype(np.float32)
    shares = (luma <= _DARK).mean(), (luma >= _BRIGHT).mean()
    highlight = np.searchsorted(np.bincount(pixels.ravel(), minlength=256).cumsum(), 0.99 * pixels.size)
    facts = [laplace(unenlarged).var(), luma.mean() / 255, *shares, highlight / 255, width, height, pages]
    step = SIDE // LOOK
    look = luma.reshape(LOOK, step, LOOK, step).mean((1, 3))
    return np.array(facts, np.float32), look.round().astype(np.uint8)
