"""Salience proxies against closed forms and scipy."""

import numpy as np
from scipy.ndimage import sobel

from vi_simsiam.evaluation.salience import salience


def test_ramp_and_constant():
    ramp = np.tile(np.arange(16, dtype=np.uint8) * 10, (16, 1))
    found = salience(np.stack([ramp, ramp.T, np.full((16, 16), 200, np.uint8)])[..., None])
    slope = (10 / 255) ** 2
    # 14 columns of full slope; with the border repeated the two outer ones have half of it
    np.testing.assert_allclose(found["gradient_energy"], [slope * (14 + 2 / 4) / 16] * 2 + [0], rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(
        found["rms_contrast"], [np.std(np.arange(16)) * 10 / 255] * 2 + [0], rtol=1e-5, atol=1e-7
    )


def test_random_colour_images_against_scipy():
    pictures = np.random.default_rng(0).integers(0, 256, (5, 9, 9, 3), dtype=np.uint8)
    found = salience(pictures)
    light = pictures @ np.array([0.2989, 0.587, 0.114]) / 255
    energy = [np.mean((sobel(x, 0, mode="nearest") / 8) ** 2 + (sobel(x, 1, mode="nearest") / 8) ** 2) for x in light]
    np.testing.assert_allclose(found["gradient_energy"], energy, rtol=1e-4)
    np.testing.assert_allclose(found["rms_contrast"], light.std((1, 2)), rtol=1e-4)
