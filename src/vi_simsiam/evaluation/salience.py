"""Proxies of the salience of an image, from its pixels alone. docs/reading.md says what they do not measure."""

import numpy as np
import torch
from torch.nn.functional import conv2d, pad

from vi_simsiam.evaluation.features import batches
from vi_simsiam.transforms.colour import luma

_BATCH = 1024
_SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8  # of a ramp: its slope per pixel


def salience(images: np.ndarray) -> dict[str, np.ndarray]:
    """Salience proxies of uint8 images (N, H, W, C), each (N,) float64.

    Returns:
        `gradient_energy`: mean squared length of the Sobel gradient of the luma in [0, 1], per pixel, the border
            repeated; 0, but for rounding, of a constant image.
        `rms_contrast`: standard deviation of the luma over the image's pixels, in [0, 0.5].
    """
    energy, contrast = [], []
    for batch in batches(images, _BATCH):
        light = luma(batch.transpose(0, 1))[:, None]
        gradient = conv2d(pad(light, (1, 1, 1, 1), mode="replicate"), torch.stack([_SOBEL, _SOBEL.T])[:, None])
        energy.append(gradient.double().square().sum(1).mean((1, 2)))
        contrast.append(light.double().flatten(1).std(1, unbiased=False))
    return {"gradient_energy": torch.cat(energy).numpy(), "rms_contrast": torch.cat(contrast).numpy()}
