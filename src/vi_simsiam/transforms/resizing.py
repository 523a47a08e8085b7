"""Resizing of images for storing, scoring and galleries.

torch is imported only when an image is resized: the import takes seconds, and some users of this module do not need it.
"""

import numpy as np


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resize the largest central squares of uint8 images (n, H, W, C), antialiased: (n, size, size, C) uint8.

    Images of this size are returned as they are, not copied.
    """
    height, width = images.shape[1:3]
    if height == width == size:
        return images
    import torch
    from torch.nn.functional import interpolate

    from vi_simsiam.transforms.spatial import crop_resize, to_uint8

    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = torch.from_numpy(np.array(images[:, top : top + side, left : left + side]))
    if side < size:  # enlarged as views are
        boxes = torch.tensor([0, 0, side, side]).expand(len(images), 4).T
        return to_uint8(crop_resize(square, boxes, size, reduces=False)).numpy()
    # For uint8, torch would also round between rows and columns, and a tenth of the levels would differ by one.
    pixels = square.permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 255)
    return to_uint8(interpolate(pixels, (size, size), mode="bilinear", antialias=True)).numpy()
