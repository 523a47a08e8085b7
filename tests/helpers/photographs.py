"""Artificial photographs, and the commands that take them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vi_simsiam import __main__
from vi_simsiam.data.decode import load, square


def picture(number: int, side: int = 40) -> Image.Image:
    """Blots of colour, others for each number."""
    draw = np.random.default_rng(number)
    small = Image.fromarray(draw.integers(0, 256, (5, 5, 3)).astype(np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)


def photographs(folder: Path, numbers) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture(number).save(folder / f"{number:03}.png")
    return folder


def command(*arguments):
    """Exit status of `vi-simsiam`."""
    with pytest.raises(SystemExit) as ended:
        __main__.main([*map(str, arguments)])
    return ended.value.code


def rank(*arguments):
    return command("rank", *arguments)


def score(*arguments):
    return command("score", *arguments)


def decode(data, size, channels, depth=16):
    """The central square of an image's contents as the reader gives it: uint8 (size, size, channels)."""
    return square(load(data, 2 * size).upright(channels, depth), size)
