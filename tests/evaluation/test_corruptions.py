"""Corruptions against CIFAR-10-C's own script, other packages and their definitions."""

import colorsys
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from vi_simsiam.config.schema import CORRUPTIONS
from vi_simsiam.evaluation import corruptions

# Root mean square change of `pictures()` at severities 1 to 5, by make_cifar_c.py of github.com/hendrycks/robustness
# with scikit-image .26 and OpenCV 5, rounding down to 8 bits included; means of ten runs. The motion, which ImageMagick
# does there, is that of the package imagecorruptions 1.1.2.
THEIRS = {
    "gaussian_noise": (0.0398, 0.0595, 0.0792, 0.0889, 0.0985),
    "shot_noise": (0.0312, 0.0440, 0.0692, 0.0796, 0.0969),
    "impulse_noise": (0.0530, 0.0759, 0.0927, 0.1203, 0.1416),
    "defocus_blur": (0.0075, 0.0176, 0.0253, 0.0373, 0.0400),
    "glass_blur": (0.0529, 0.0514, 0.0469, 0.0644, 0.0597),
    "motion_blur": (0.0270, 0.0368, 0.0444, 0.0444, 0.0509),
    "zoom_blur": (0.0309, 0.0367, 0.0417, 0.0466, 0.0513),
    "snow": (0.0542, 0.1087, 0.1256, 0.1741, 0.2374),
    "fog": (0.0434, 0.0853, 0.1117, 0.1334, 0.1608),
    "brightness": (0.0373, 0.0767, 0.1153, 0.1522, 0.2176),
    "contrast": (0.0368, 0.0735, 0.0881, 0.1028, 0.1248),
    "elastic_transform": (0.0730, 0.0670, 0.0620, 0.0575, 0.0494),
    "pixelate": (0.0158, 0.0221, 0.0244, 0.0300, 0.0360),
    "jpeg_compression": (0.0445, 0.0475, 0.0488, 0.0500, 0.0519),
}


def pictures(n=64, channels=3):
    """uint8 (n, 32, 32, channels): four scales of random colours."""
    rng = np.random.default_rng(0)
    parts = [
        ndimage.zoom(rng.normal(size=(n, 32 // k, 32 // k, channels)), (1, k, k, 1), order=1) for k in (1, 4, 8, 16)
    ]
    weights = (0.15, 0.3, 0.5, 0.8)
    mixed = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    return np.uint8(np.clip(127 + 70 * mixed, 0, 255))


def made(images, name, severity, seed=0, batch_size=25, index=None):
    index = np.arange(len(images)) if index is None else index
    batches = corruptions.Corruptions(images, index, seed).batches(name, severity, batch_size)
    return torch.cat(list(batches)).permute(0, 2, 3, 1).numpy()


def rms(a, b):
    return np.sqrt(np.mean((a - b) ** 2))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_it_changes_images_as_much_as_theirs(name):
    images = pictures()
    for severity, theirs in enumerate(THEIRS[name], 1):
        change = rms(np.floor(255 * made(images, name, severity)) / 255, images / 255)
        assert change == pytest.approx(theirs, rel=0.06 if name in ("fog", "elastic_transform") else 0.03), severity


@pytest.mark.parametrize("size", [8, 20, 32, 96])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_every_size_and_kind(size, channels):
    rng = np.random.default_rng(0)
    images = ndimage.zoom(rng.integers(0, 256, (3, 8, 8, channels)), (1, size / 8, size / 8, 1), order=1).astype(
        np.uint8
    )
    images[0] = 0
    before = images.copy()
    for name in CORRUPTIONS:
        for severity in (1, 5):
            changed = made(images, name, severity)
            assert changed.shape == images.shape and np.isfinite(changed).all(), name
            assert changed.min() >= 0 and changed.max() <= 1, name
        assert rms(changed[1:], images[1:] / 255) > 0.002, name
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_is_drawn_depends_on_image_and_seed_alone(name):
    images = pictures(12)
    all_of_them = made(images, name, 3)
    np.testing.assert_allclose(made(images, name, 3, batch_size=5), all_of_them, atol=1e-6)
    some = np.array([2, 7, 11])
    np.testing.assert_allclose(made(images, name, 3, index=some), all_of_them[some], atol=1e-6)
    other = made(images, name, 3, seed=1)
    drawn = name not in ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression")
    assert (np.abs(other - all_of_them).max() > 0.01) == drawn


def test_noise_has_the_stated_distribution():
    grey = np.full((200, 32, 32, 1), 102, np.uint8)  # .4
    gaussian = made(grey, "gaussian_noise", 2) - 0.4
    assert gaussian.mean() == pytest.approx(0, abs=5e-4) and gaussian.std() == pytest.approx(0.06, rel=0.01)
    shot = made(grey, "shot_noise", 5)
    np.testing.assert_allclose(shot * 50, np.round(shot * 50), atol=1e-4)
    assert shot.mean() == pytest.approx(0.4, abs=1e-3) and shot.var() == pytest.approx(0.4 / 50, rel=0.02)
    impulse = made(grey, "impulse_noise", 5)
    assert [(impulse == value).mean() for value in (0, 1)] == pytest.approx([0.035, 0.035], abs=1.5e-3)
    weak = made(grey, "impulse_noise", 1)
    assert ((weak != grey / 255) <= (impulse != grey / 255)).all(), "the same places, and more of them"


def test_defocus_is_a_small_disk():
    image = np.zeros((1, 32, 32, 1), np.uint8)
    image[0, 15, 12] = 255
    cross = made(image, "defocus_blur", 4)[0, :, :, 0]
    assert cross[[15, 14, 16, 15, 15], [12, 12, 12, 11, 13]] == pytest.approx(np.full(5, 0.2), abs=1e-4)
    square = made(image, "defocus_blur", 5)[0, :, :, 0]
    assert square[14:17, 11:14] == pytest.approx(np.full((3, 3), 1 / 9), abs=1e-4)
    large = np.zeros((1, 64, 64, 1), np.uint8)
    large[0, 30, 30] = 255
    spread = [
        (made(picture, "defocus_blur", 5)[0, :, :, 0] * (np.arange(side) - at) ** 2).sum()
        for picture, side, at in ((image, 32, 12), (large, 64, 30))
    ]
    assert spread[0] == pytest.approx(2 / 3, rel=1e-3) and spread[1] == pytest.approx(4 * 2 / 3 + 0.5, rel=1e-3)


def test_zoom_is_scipys():
    images = pictures(3)
    for severity, count in ((2, 12), (4, 21)):
        total = images / 255
        for step in range(count):
            part = int(np.ceil(32 / (1 + step / 100)))
            top = (32 - part) // 2
            cut = images[:, top : top + part, top : top + part] / 255
            zoomed = np.stack([ndimage.zoom(image, (1 + step / 100, 1 + step / 100, 1), order=1) for image in cut])
            trim = (zoomed.shape[1] - 32) // 2
            total = total + zoomed[:, trim : trim + 32, trim : trim + 32]
        np.testing.assert_allclose(made(images, "zoom_blur", severity), total / (count + 1), atol=1e-5)


def test_motion_is_half_a_gaussian_along_a_line():
    x = torch.from_numpy(pictures(3)).permute(0, 3, 1, 2).double() / 255
    angles = torch.tensor([0.0, 0.4, -2.0])
    weights = np.exp(-0.5 * (np.arange(11) / 2.5) ** 2)
    found = corruptions._moved(x, angles, 2.5, 10.9)
    for image, angle, moved in zip(x.numpy(), angles.numpy(), found.numpy(), strict=True):
        total = np.zeros_like(image)
        for step, weight in enumerate(weights / weights.sum()):
            down, right = (int(np.floor(step * part + 0.5)) for part in (np.sin(angle), np.cos(angle)))
            rows, columns = (np.clip(np.arange(32) + by, 0, 31) for by in (down, right))
            total += weight * image[:, rows][:, :, columns]
        np.testing.assert_allclose(moved, total, atol=1e-6)
    point = np.zeros((40, 32, 32, 1), np.uint8)
    point[:, 16, 16] = 255
    places = [np.nonzero(line) for line in made(point, "motion_blur", 5)[..., 0]]
    assert all(16 - right.min() >= 7 and right.max() == 16 for down, right in places), "45 degrees at most"
    ends = [(down - 16)[right.argmin()] for down, right in places]
    assert min(ends) < -3 and max(ends) > 3, "many directions"


def test_fog_is_diamond_square():
    noise = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    n, step, amplitude, height = noise[0].numpy(), 8, 1.0, np.zeros((8, 8))
    while step >= 2:
        half = step // 2
        for i in range(half, 8, step):
            for j in range(half, 8, step):
                around = [height[(i + a) % 8, (j + b) % 8] for a in (-half, half) for b in (-half, half)]
                height[i, j] = np.mean(around) + amplitude * n[i, j]
        fixed = height.copy()
        for i in range(0, 8, half):
            for j in range(0, 8, half):
                if (i + j) // half % 2:
                    around = [
                        fixed[(i + a) % 8, (j + b) % 8] for a, b in ((half, 0), (-half, 0), (0, half), (0, -half))
                    ]
                    height[i, j] = np.mean(around) + amplitude * n[i, j]
        step, amplitude = half, amplitude / 1.75**2
    expected = (height - height.min()) / (height.max() - height.min())
    np.testing.assert_allclose(corruptions._plasma(noise, 1.75)[0], expected, atol=1e-5)
    images = pictures(2)
    foggy = made(images, "fog", 5)
    brightest = images.max((1, 2, 3), keepdims=True) / 255
    cloud = foggy * (brightest + 1.5) / brightest - images / 255  # what was added, where nothing was cut off
    assert cloud.min() == pytest.approx(0, abs=1e-4) and cloud.max() == pytest.approx(1.5, abs=1e-4)
    np.testing.assert_allclose(cloud.max(3), cloud.min(3), atol=1e-4)  # grey


def test_brightness_is_the_value_of_hsv():
    images = pictures(2)
    images[0, 0, 0] = 0
    found = made(images, "brightness", 5)
    for pixel, brighter in zip(images.reshape(-1, 3)[:400] / 255, found.reshape(-1, 3)[:400], strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        np.testing.assert_allclose(brighter, colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.3)), atol=1e-5)


def test_contrast_is_of_each_channel():
    images = pictures(2)
    mean = images.mean((1, 2), keepdims=True) / 255
    np.testing.assert_allclose(made(images, "contrast", 3), mean + 0.4 * (images / 255 - mean), atol=1e-5)


def test_glass_moves_pixels_to_their_neighbours_and_invents_none():
    ramp = np.zeros((1, 32, 32, 3), np.uint8)
    ramp[0, :, :, 0], ramp[0, :, :, 1] = np.arange(32)[:, None] * 8, np.arange(32) * 8
    moved = made(ramp, "glass_blur", 1) * 255 / 8  # its blur is none
    shift = np.round(moved[0, :, :, :2] - np.stack(np.meshgrid(np.arange(32), np.arange(32), indexing="ij"), -1))
    np.testing.assert_allclose(moved * 8, np.round(moved * 8), atol=1e-3)
    assert set(np.unique(shift)) == {-1, 0} and (shift[:2] == 0).all() and (shift[:, :2] == 0).all()
    assert shift[2:, 2:].mean() == pytest.approx(-0.5, abs=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixelate_and_jpeg_are_pillows(channels):
    images = pictures(4, channels)
    coarse, compressed = made(images, "pixelate", 5), made(images, "jpeg_compression", 2)
    for i, image in enumerate(images):
        picture, file = Image.fromarray(image.squeeze()), io.BytesIO()
        box = Image.Resampling.BOX
        expected = np.array(picture.resize((20, 20), box).resize((32, 32), box))
        np.testing.assert_allclose(coarse[i].squeeze() * 255, expected, atol=1e-3)
        picture.save(file, "JPEG", quality=65)
        np.testing.assert_allclose(compressed[i].squeeze() * 255, np.array(Image.open(file)), atol=1e-3)


def test_chosen_images_are_drawn_once():
    some = corruptions.chosen(100, 30, seed=0)
    assert len(set(some)) == 30 and (np.diff(some) > 0).all() and some.max() < 100
    assert 30 < some.mean() < 70
    np.testing.assert_array_equal(some, corruptions.chosen(100, 30, seed=0))
    assert not np.array_equal(some, corruptions.chosen(100, 30, seed=1))
    for count in (None, 100, 200):
        np.testing.assert_array_equal(corruptions.chosen(100, count, 0), np.arange(100))
