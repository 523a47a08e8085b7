"""Graded crops and augmentations against torchvision and their definitions."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torchvision.transforms import functional as tv

from vi_simsiam.config.schema import GradedParams
from vi_simsiam.evaluation import graded


def images(n, seed=0, channels=1):
    return np.random.default_rng(seed).integers(0, 256, (n, 12, 12, channels), dtype=np.uint8)


def floats(pictures):
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def made(pictures, name, strength, seed=0, batch_size=5):
    return torch.cat(list(graded.Augmentations(pictures, seed).batches(name, strength, batch_size)))


def test_graded_boxes_lie_inside_and_have_the_area():
    areas = [0.05, 0.25, 0.5, 1.0]
    boxes = graded.graded_boxes(500, areas, size=40, seed=0)
    table = pd.DataFrame(boxes)
    assert (table["top"] >= 0).all() and (table["top"] + table["height"] <= 40).all()
    assert (table["left"] >= 0).all() and (table["left"] + table["width"] <= 40).all()
    actual = table["height"] * table["width"] / 1600
    assert (actual - table["area"]).abs().max() < 0.02
    assert table["index"].tolist() == np.repeat(np.arange(500), 4).tolist()
    # every place is as likely as any other, the last one included
    small = table[table["area"] == 0.25]
    counts = np.bincount(small["top"], minlength=21)
    assert len(counts) == 21 and counts.min() > 5
    pd.testing.assert_frame_equal(table, pd.DataFrame(graded.graded_boxes(500, areas, 40, seed=0)))
    assert not table["top"].equals(pd.DataFrame(graded.graded_boxes(500, areas, 40, seed=1))["top"])


def test_crop_batches_cut_the_boxes():
    pictures = images(5)
    boxes = graded.graded_boxes(5, [0.2, 1.0], 12, seed=0)
    crops = torch.cat(list(graded.crop_batches(pictures, boxes, batch_size=3)))
    assert crops.shape == (10, 1, 12, 12)
    for row in range(10):
        source = torch.from_numpy(pictures[boxes["index"][row]]).permute(2, 0, 1).float() / 255
        box = [int(boxes[name][row]) for name in ("top", "left", "height", "width")]
        torch.testing.assert_close(
            crops[row], tv.resized_crop(source, *box, [12, 12], antialias=True), rtol=0, atol=1e-5
        )


def test_steps_leave_out_nothing_and_colour_without_colour():
    strengths = {"brightness": [0.0, 1.0], "hue": [0.1], "blur": [], "grey": [1.0], "noise": [0.1, 0.2]}
    assert graded.steps(strengths, 3) == [("brightness", 1), ("hue", 0.1), ("grey", 1), ("noise", 0.1), ("noise", 0.2)]
    assert graded.steps(strengths, 1) == [("brightness", 1), ("noise", 0.1), ("noise", 0.2)]


@pytest.mark.parametrize(
    ("name", "strength", "adjust", "one", "other"),
    [
        ("brightness", 1.0, tv.adjust_brightness, 2, 0.5),
        ("contrast", 2.0, tv.adjust_contrast, 4, 0.25),
        ("saturation", 0.5, tv.adjust_saturation, 2**0.5, 0.5**0.5),
        ("hue", 0.1, tv.adjust_hue, 0.1, -0.1),
    ],
)
def test_colour_is_torchvisions_either_way(name, strength, adjust, one, other):
    pictures = images(40, channels=3)
    found, whole = made(pictures, name, strength), floats(pictures)
    ways = 0
    for i in range(40):
        near = [(found[i] - adjust(whole[i], factor)).abs().max() < 1e-5 for factor in (one, other)]
        assert sum(near) == 1
        ways += int(near[0])
    assert 8 < ways < 32, "both directions occur"


def test_grey_mixes_with_the_luma():
    pictures = images(6, channels=3)
    whole = floats(pictures)
    grey = tv.rgb_to_grayscale(whole, 3)
    torch.testing.assert_close(made(pictures, "grey", 1.0), grey, rtol=0, atol=1e-5)
    torch.testing.assert_close(made(pictures, "grey", 0.25), 0.75 * whole + 0.25 * grey, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 3.0])
def test_blur_is_torchvisions(sigma):
    pictures = images(3)
    kernel = {0.2: 3, 1.0: 7, 3.0: 19}[sigma]
    expected = tv.gaussian_blur(floats(pictures), [kernel, kernel], [sigma, sigma])
    torch.testing.assert_close(made(pictures, "blur", sigma), expected, rtol=0, atol=1e-5)


def test_noise_has_the_deviation_and_is_the_same_whatever_the_batches():
    pictures = np.full((50, 12, 12, 1), 128, np.uint8)
    weak, strong = made(pictures, "noise", 0.05), made(pictures, "noise", 0.1)
    change = weak - 128 / 255
    assert change.std() == pytest.approx(0.05, rel=0.03) and change.mean() == pytest.approx(0, abs=0.002)
    torch.testing.assert_close(2 * change, strong - 128 / 255, rtol=0, atol=1e-5)
    torch.testing.assert_close(made(pictures, "noise", 0.05, batch_size=17), weak, rtol=0, atol=0)
    assert not torch.equal(weak[0], weak[1]) and not torch.equal(made(pictures, "noise", 0.05, seed=1), weak)
    clipped = made(pictures, "noise", 3.0)
    assert clipped.min() == 0 and clipped.max() == 1


@pytest.mark.parametrize(("share", "side"), [(0.1, 4), (0.25, 6), (1.0, 12)])
def test_occlusion_hides_a_square_of_the_mean_colour(share, side):
    pictures = images(200, channels=3)
    found, whole = made(pictures, "occlusion", share), floats(pictures)
    hidden = (found - whole.mean((2, 3), keepdim=True)).abs().amax(1) < 1e-6
    assert ((found == whole).all(1) | hidden).all()
    for axis in (1, 2):
        assert (hidden.any(axis).sum(1) == side).all()
    assert (hidden.sum((1, 2)) == side**2).all()
    tops = np.bincount(hidden.any(2).int().argmax(1), minlength=13 - side)
    assert len(tops) == 13 - side and tops.min() > 5, "every place occurs"


# A strength that the parameters allow, and is nearly nothing or more than any image has.
STRENGTHS = (1e-300, 1e-9, 0.5, 1.0, 32.0, 1024.0, 1e308)
EXTREMES = [(name, strength) for name in GradedParams.model_fields for strength in STRENGTHS]


@pytest.mark.parametrize(("name", "strength"), EXTREMES)
def test_every_strength_that_is_allowed_gives_an_image_and_leaves_the_original(name, strength):
    try:
        GradedParams.model_validate({field: [] for field in GradedParams.model_fields} | {name: [strength]})
    except ValidationError:
        return  # refused before any work
    for pictures in (images(3, channels=3), np.zeros((1, 12, 12, 3), np.uint8), np.full((1, 12, 12, 3), 255, np.uint8)):
        before = pictures.copy()
        changed = made(pictures, name, strength)
        assert changed.shape == floats(pictures).shape and torch.isfinite(changed).all()
        assert changed.min() >= -1e-5 and changed.max() <= 1 + 1e-5
        np.testing.assert_array_equal(pictures, before)
