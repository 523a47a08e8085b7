"""Facts of images: closed forms."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from helpers.images import encoded
from vi_simsiam.cli.rank import facts
from vi_simsiam.data.decode import load

NAMES = [fact.name for fact in facts.FACTS]


def measured(image):
    image = load(encoded(image), 2 * facts.SIDE).upright(3)
    values, look = facts.measure(image, *image.size)
    return dict(zip(NAMES, values, strict=True)), look


@pytest.mark.parametrize(
    "level, dark, bright", [(0, 1, 0), (5, 1, 0), (6, 0, 0), (249, 0, 0), (250, 0, 1), (255, 0, 1)]
)
def test_plain_images(level, dark, bright):
    values, _ = measured(Image.new("RGB", (300, 200), (level,) * 3))
    assert values["sharpness"] == 0 and values["dark_share"] == dark and values["bright_share"] == bright
    assert values["mean_luma"] == pytest.approx(level / 255) == values["highlight"]
    assert (values["width"], values["height"]) == (300, 200)


def test_closed_forms():
    levels = np.zeros((256, 256), np.uint8)
    levels[:, 128:] = 200
    values, look = measured(Image.fromarray(levels))
    assert (look[:, :16] == 0).all() and (look[:, 16:] == 200).all() and look.dtype == np.uint8
    assert values["highlight"] == pytest.approx(200 / 255)
    # The Laplacian is +200 and -200 in two columns of 256, and 0 elsewhere.
    assert values["sharpness"] == pytest.approx(2 * 200**2 / 256, rel=1e-5)
    assert values["dark_share"] == 0.5 and values["mean_luma"] == pytest.approx(100 / 255)
    red, _ = measured(Image.new("RGB", (64, 64), (255, 0, 0)))
    assert red["mean_luma"] == pytest.approx(0.299, abs=2e-3)


@pytest.mark.parametrize("side", [32, 256])
def test_blur_lowers_sharpness(side):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8))
    sharp, soft = (measured(image)[0]["sharpness"] for image in (noise, noise.filter(ImageFilter.GaussianBlur(2))))
    assert soft < sharp / 20
