"""Images of other data sets in the form that a model expects."""

import numpy as np
import pytest
from PIL import Image

from vi_simsiam.evaluation.ood import matched


def test_same_form_is_untouched():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(matched(pictures, 8, 3), pictures)


def test_grey_becomes_three_equal_channels():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    np.testing.assert_array_equal(matched(pictures, 8, 3), np.repeat(pictures, 3, axis=3))


def test_colour_becomes_luma_as_pillows():
    pictures = np.random.default_rng(0).integers(0, 256, (2000, 8, 8, 3), dtype=np.uint8)  # more than a piece
    found = matched(pictures, 8, 1)
    for row in (0, 1500, 1999):
        expected = np.array(Image.fromarray(pictures[row]).convert("L"), int)
        assert np.abs(found[row, :, :, 0] - expected).max() <= 1


@pytest.mark.parametrize("size", [5, 20])
def test_resized_as_pillow(size):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 1), dtype=np.uint8)
    found = matched(pictures, size, 1)
    for row in (0, 1):
        expected = Image.fromarray(pictures[row, :, :, 0]).resize((size, size), Image.Resampling.BILINEAR)
        assert np.abs(found[row, :, :, 0].astype(int) - np.array(expected, int)).max() <= 1
