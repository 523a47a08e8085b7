"""Random batches of images from the store, a memory map, against decoding JPEG files one by one as ImageFolder does.

    python benchmarks/store_reading.py [--images 10000] [--size 32]

Both give uint8 batches, in one process, from files that the operating system has in its cache. `limit` is the same
choice of rows from an array in memory.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torchvision.datasets import ImageFolder
from torchvision.transforms.functional import to_pil_image

BATCH = 256


def rate(read: Callable[[np.ndarray], np.ndarray], images: int, seconds: float) -> float:
    """Images per second, from the median batch of those read in `seconds`."""
    rng = np.random.default_rng(0)
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        rows = rng.permutation(images)[:BATCH]
        start = time.perf_counter()
        read(rows)
        times.append(time.perf_counter() - start)
    return min(BATCH, images) / sorted(times)[len(times) // 2]


def rates(images: int, size: int, seconds: float) -> dict[str, float]:
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.npy")
        stored = np.lib.format.open_memmap(path, "w+", np.uint8, (images, size, size, 3))
        # Smooth pictures: of noise a JPEG is larger than any photograph.
        coarse = rng.integers(0, 256, (images, 8, 8, 3), dtype=np.uint8)
        Path(folder, "files", "class").mkdir(parents=True)
        for i in range(images):
            picture = to_pil_image(coarse[i]).resize((size, size))
            stored[i] = np.asarray(picture)
            picture.save(Path(folder, "files", "class", f"{i:06}.jpg"), quality=90)
        stored.flush()
        mapped, memory = np.load(path, mmap_mode="r"), np.load(path)
        files = ImageFolder(str(Path(folder, "files")))
        return {
            "store": rate(lambda rows: mapped[rows], images, seconds),
            "files": rate(lambda rows: np.stack([np.asarray(files[i][0]) for i in rows]), images, seconds),
            "limit": rate(lambda rows: memory[rows], images, seconds),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=32)
    args = parser.parse_args()
    for name, found in rates(args.images, args.size, 2.0).items():
        print(f"{name:>6} {found:12,.0f} images/s", file=sys.stdout)


if __name__ == "__main__":
    main()
