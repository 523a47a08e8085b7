"""The one rule by which stored images are resized, for arrays.

torch is imported where something is resized: the steps `download` and `plot`, which need it for nothing else, would
wait seconds for it.
"""

import numpy as np


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resize uint8 images (n, H, W, C), antialiased, to (n, size, size, C) uint8; those that have the size as they are.

    Of images that are not square the largest central square is taken.
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
    # torch's antialiasing of whole numbers rounds between rows and columns: a tenth of the levels would differ by one.
    pixels = square.permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 255)
    return to_uint8(interpolate(pixels, (size, size), mode="bilinear", antialias=True)).numpy()
