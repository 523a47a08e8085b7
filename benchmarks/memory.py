"""Peak memory and time of storing and of training, for a data set and for one ten times as large.

    python benchmarks/memory.py [--size 32] [--images 10000] [--out benchmarks/memory.csv]

Each measurement is a new process; its peak of resident memory is the system's (ru_maxrss). The images are random
pictures, which are made when they are read, so that only the store holds them. Training is an epoch of VI-SimSiam with
a tiny network, beside which memory that grows with the data would show. Rows of other sizes stay in the table.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.config import loading as params_file
from vi_simsiam.config.schema import AugmentationParams, parse
from vi_simsiam.data.image_sets import Images
from vi_simsiam.data.left_out import Report
from vi_simsiam.data.store import Store
from vi_simsiam.data.store_writer import build
from vi_simsiam.training import trainer as training
from vi_simsiam.transforms.views import Views

ROOT = Path(__file__).parents[1]
TEST_IMAGES = 100
COLUMNS = ["job", "size", "images", "peak_mib", "seconds", "images_per_second", "store_mib"]
# The test images, which stay the same, are few; the network is tiny.
SECTIONS = {
    "cache_views": {"train_images": None, "test_images": None, "test_per_image": 2},
    "pretrain": {
        "epochs": 1, "batch_size": 64, "warmup_epochs": 0, "knn_every": 0, "precision": 32, "threads": 1,
        "backbone": {"name": "resnet10", "width": 4, "stem": "7x7"},
    },
}  # fmt: skip


class Pictures:
    """Random pictures by number: 8 x 8 colours, each repeated."""

    groups = None

    def __init__(self, images: int, size: int):
        self.labels, self.channels, self.size = np.arange(images) % 10, 3, size

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        coarse = np.random.default_rng(rows[0]).integers(0, 256, (len(rows), 8, 8, 3), dtype=np.uint8)
        return coarse.repeat(self.size // 8, 1).repeat(self.size // 8, 2)

    def paths(self, rows: np.ndarray) -> list[str]:
        return [f"{row:09}" for row in rows]


def sections(size: int) -> dict:
    shipped = params_file.load(ROOT / "params.yaml")
    job = {step: params_file.resolve(shipped, step, "digits", "vi_simsiam") for step in SECTIONS}
    return {step: job[step] | SECTIONS[step] | ({"size": size} if step == "cache_views" else {}) for step in job}


def store(folder: Path, size: int, images: int) -> None:
    pictures = Images([str(i) for i in range(10)], Pictures(images, size), Pictures(TEST_IMAGES, size), Report())
    build(folder, "pictures", pictures, parse("cache_views", sections(size)["cache_views"]))


def train(folder: Path, size: int, images: int) -> None:
    opened = Store.open(folder)
    views = Views(AugmentationParams(**opened.augmentation), opened.size, opened.channels)
    params = parse("pretrain", sections(size)["pretrain"], "vi_simsiam")
    training.pretrain("vi_simsiam", params, opened, views, seed=0)


JOBS = {"store": store, "train": train}


def measured(job: str, folder: Path, size: int, images: int) -> tuple[float, float]:
    """Do a job in this process: its seconds, and the process's peak memory in MiB."""
    start = time.perf_counter()
    JOBS[job](folder, size, images)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def row(job: str, folder: Path, size: int, images: int) -> dict:
    """Do a job in a new process: its row of the table."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        seconds, peak = process.submit(measured, job, folder, size, images).result()
    stored = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
    values = job, size, images, peak, seconds, images / seconds, stored
    return dict(zip(COLUMNS, values, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=32, help="pixels of a side, a multiple of 8")
    parser.add_argument("--images", type=int, default=10_000, help="of the smaller data set")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("memory.csv"))
    args = parser.parse_args()
    rows = []
    for images in (args.images, 10 * args.images):
        with tempfile.TemporaryDirectory() as folder:
            rows += [row(job, Path(folder) / "store", args.size, images) for job in JOBS]
    table = pd.DataFrame(rows)
    if args.out.exists():
        before = pd.read_csv(args.out)
        table = pd.concat([before[before["size"] != args.size], table])
    table.to_csv(args.out, index=False, float_format="%.5g", lineterminator="\n")
    print(table.to_string(index=False, float_format=lambda v: f"{v:.4g}"))


if __name__ == "__main__":
    main()
