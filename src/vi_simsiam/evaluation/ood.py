"""Images of another data set in the form that a model expects."""

import numpy as np
import torch

from vi_simsiam.transforms.colour import luma
from vi_simsiam.transforms.resizing import resize
from vi_simsiam.transforms.spatial import to_uint8

_PIECE = 1024


def matched(images: np.ndarray, size: int, channels: int) -> np.ndarray:
    """uint8 images (N, H, W, C) as (N, size, size, channels): central square, antialiased; grey <-> RGB by luma.

    Args:
        channels: 1 or 3. A grey image becomes three equal channels, a colour image its luma.
    """
    return np.concatenate([_piece(images[i : i + _PIECE], size, channels) for i in range(0, len(images), _PIECE)])


def _piece(images: np.ndarray, size: int, channels: int) -> np.ndarray:
    pictures = resize(np.array(images), size)
    if pictures.shape[3] == channels:
        return pictures
    if channels == 3:
        return pictures.repeat(3, axis=3)
    return to_uint8(luma(torch.from_numpy(pictures).permute(3, 0, 1, 2).float() / 255)[:, None]).numpy()
