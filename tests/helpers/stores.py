"""Parameters of small stores, and random pictures for them."""

import numpy as np

from vi_simsiam.config.schema import CacheViewsParams
from vi_simsiam.data.image_sets import Images, Split

AUGMENTATION = dict(
    crop_scale=[0.2, 1.0], crop_ratio=[3 / 4, 4 / 3], flip=0.5, jitter=0.8, brightness=0.4, contrast=0.4,
    saturation=0.4, hue=0.1, grey=0.2, blur=0.5, blur_sigma=[0.1, 2.0],
    noise=0.0, noise_sigma=[0.02, 0.2],
)  # fmt: skip


def params(augmentation=None, **changes):
    values = dict(size=16, train_images=None, test_images=None, test_fraction=0.25, evaluate_on="test", left_out=0.01,
                  depth=16, seed=0, per_image=2, test_per_image=3,
                  augmentation=AUGMENTATION | (augmentation or {}))  # fmt: skip
    return CacheViewsParams.model_validate(values | changes)


def pictures(n=40, side=16, channels=3, test=None, seed=0, size=None):
    draw = np.random.RandomState(seed)

    def split(n):
        images = draw.randint(0, 256, (n, side, side, channels)).astype(np.uint8)
        return Split(images, np.arange(n, dtype=np.int64) % 4, size)

    return Images(tuple("abcd"), split(n), None if test is None else split(test))
