"""The one rule by which stored images are resized, for arrays.

torch is imported where something is resized: the steps `download` and `plot`, which need it for nothing else, would
wait seconds for it.
"""

import numpy as np


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resize uint8 images (n, H, W, C), antialiased, to (n, size, size, C) uint8; those that have the size as they are.

    Of images that are not square the largest central square is taken.
    """
    n, height, width, _ = images.shape
    if height == width == size:
        return images
    import torch

    from vi_simsiam.transforms.spatial import fixed_crops, to_uint8

    side = min(height, width)
    boxes = torch.tensor([[(height - side) // 2, (width - side) // 2, side, side]]).expand(n, 4)
    return to_uint8(fixed_crops(torch.from_numpy(np.array(images)), boxes, size)).numpy()
