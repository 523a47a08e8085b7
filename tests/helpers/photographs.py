"""Made-up photographs, and the folder of a tiny model that nothing has been taught, to encode them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vi_simsiam import __main__
from vi_simsiam.config.encoders import BackboneParams
from vi_simsiam.config.schema import UntrainedParams
from vi_simsiam.core.record import RunRecord
from vi_simsiam.data.decode import load, square
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.models import saved

BACKBONE = {"name": "resnet10", "width": 4, "stem": "3x3/2"}


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


def encoder(folder: Path, channels: int = 3) -> Path:
    """A model's folder whose encoder sees 16 pixels."""
    torch.manual_seed(7)
    images = ImageSpec(16, channels, (0.5,) * channels, (0.3,) * channels)
    model = build("untrained", UntrainedParams(backbone=BackboneParams(**BACKBONE)), images).train()
    for _ in range(20):
        model.features(torch.rand(16, channels, 16, 16))  # its batch norms have seen something
    saved.save(folder, model.eval(), saved.describe("untrained", {"backbone": BACKBONE}, images))
    RunRecord("pretrain", {}, dataset="x").write(folder)
    return folder


def rank(*arguments):
    """Exit status of `vi-simsiam rank`."""
    with pytest.raises(SystemExit) as ended:
        __main__.main(["rank", *map(str, arguments)])
    return ended.value.code


def decode(data, size, channels, depth=16):
    """The central square of an image's contents as the reader gives it: uint8 (size, size, channels)."""
    return square(load(data, 2 * size).upright(channels, depth), size)
