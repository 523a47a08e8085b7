"""Training step, augmentation and probe beside other packages: `make benchmark`. Prints a table, writes results.csv.

    python benchmarks/compare.py [--out benchmarks/results.csv] [--only training] [--quick]

Columns: measure; ours, peer and limit in `unit`; ratio_to_peer, how many times faster ours is; ratio_to_limit, the
share of the possible speed that ours reaches; machine. A row without a peer has an empty cell, and so has one whose
package (`benchmarks/requirements.txt`) is not installed. training_step.py and the functions below say what is compared.
Earlier rows of the same machine are replaced; those of other machines stay.
"""

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import torch
import training_step
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.utils.benchmark import Timer
from torchvision import transforms
from torchvision.transforms.functional import to_pil_image
from training_step import AUGMENTATION

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.core import processor
from vi_simsiam.core.files import replacing
from vi_simsiam.core.randomness import Generators, generator
from vi_simsiam.evaluation import linear
from vi_simsiam.evaluation.features import best_device
from vi_simsiam.transforms.views import Views

COLUMNS = ["measure", "ours", "peer", "limit", "unit", "ratio_to_peer", "ratio_to_limit", "machine"]


def machine() -> str:
    device = best_device()
    gpu = device.type == "cuda"
    name = f"{torch.cuda.get_device_name()}, {os.cpu_count()} cores" if gpu else processor.name()
    return f"{name}, torch {torch.__version__}"


def training_rows(quick: bool) -> list[dict]:
    gpu = best_device().type == "cuda"
    batch, steps, rounds, width = (8, 2, 1, 8) if quick else (512, 20, 3, 64) if gpu else (128, 2, 3, 64)
    speeds = training_step.rates(batch, steps, rounds, width)
    rows = [
        {
            "measure": f"training step, {precision}, {source} views, against lightly, limit: model alone",
            "ours": speeds[f"{source} {key}"],
            "peer": speeds.get("lightly"),
            "limit": speeds[f"limit {key}"],
            "unit": "images/s",
        }
        for key, precision in (("bf16", "bf16"), (32, "float32"))
        if f"limit {key}" in speeds
        for source in ("fresh", "store")
    ]
    return rows + [
        {"measure": f"training step, bf16, fresh views, {name}", "ours": speeds[name], "unit": "images/s"}
        for name in training_step.others(best_device())
    ]


def augmentation_rows(quick: bool) -> list[dict]:
    """Views of images in memory, as float tensors, by the same recipe."""
    draw = generator("images")
    images = torch.randint(0, 256, (256, training_step.SIZE, training_step.SIZE, 3), dtype=torch.uint8, generator=draw)
    peers = {"torchvision": ("per image", of_torchvision), "kornia": ("batched", of_kornia)}

    def views_per_second(call: Callable[[], Tensor]) -> float:
        # In one thread, in which torchvision works on PIL images one by one.
        times = Timer("call()", globals={"call": call}, num_threads=1).blocked_autorange(min_run_time=seconds)
        return len(images) / times.median

    seconds = 0.1 if quick else 3.0
    ours = views_per_second(of_ours(images))
    return [
        {
            "measure": f"augmentation, one thread, against {name} {how}",
            "ours": ours,
            "peer": views_per_second(make(images)) if importlib.util.find_spec(name) else None,
            "unit": "views/s",
        }
        for name, (how, make) in peers.items()
    ]


def of_ours(images: Tensor) -> Callable[[], Tensor]:
    n, size, _, channels = images.shape
    views, draw = Views(AUGMENTATION, size, channels), Generators("benchmark")
    return lambda: views.apply(images, views.draw(n, size, size, draw))


def of_torchvision(images: Tensor) -> Callable[[], Tensor]:
    r, pictures = AUGMENTATION, [to_pil_image(image.permute(2, 0, 1)) for image in images]
    view = transforms.Compose([
        transforms.RandomResizedCrop(images.shape[1], tuple(r.crop_scale), tuple(r.crop_ratio)),
        transforms.RandomApply([transforms.ColorJitter(r.brightness, r.contrast, r.saturation, r.hue)], p=r.jitter),
        transforms.RandomGrayscale(r.grey),
        transforms.RandomHorizontalFlip(r.flip),
        transforms.ToTensor(),
    ])  # fmt: skip
    return lambda: torch.stack([view(picture) for picture in pictures])


def of_kornia(images: Tensor) -> Callable[[], Tensor]:
    import kornia.augmentation as k

    r = AUGMENTATION
    view = torch.nn.Sequential(
        k.RandomResizedCrop(tuple(images.shape[1:3]), tuple(r.crop_scale), tuple(r.crop_ratio)),
        k.ColorJitter(r.brightness, r.contrast, r.saturation, r.hue, p=r.jitter),
        k.RandomGrayscale(p=r.grey),
        k.RandomHorizontalFlip(p=r.flip),
    )
    return lambda: view(images.permute(0, 3, 1, 2).float() / 255)


def probe_rows(quick: bool) -> list[dict]:
    """Fits on standardised features like an encoder's, with C = 1. Both must classify them equally well.

    Features are Gaussian with class means, mixed so that the eigenvalues of their covariance fall as i^-1.5: those of
    encoders trained here fall so (2,600 : 1 over 128 dimensions on CIFAR-10). scikit-learn stops at its default
    tolerance of 1e-4, ours goes on to 1e-6 or as far as rounding lets it.
    """
    (images, dim), classes, draw = (500, 16) if quick else (50_000, 512), 10, generator("features")
    y = torch.randint(classes, (images,), generator=draw)
    hidden = torch.randn(images, dim, generator=draw) + 0.15 * torch.randn(classes, dim, generator=draw)[y]
    mixing = torch.linalg.qr(torch.randn(dim, dim, generator=draw))[0]
    x = hidden * torch.arange(1, dim + 1) ** -0.75 @ mixing
    linear.fit(x[:1000], y[:1000], classes)  # warms up
    start = time.perf_counter()
    probe = linear.fit(x, y, classes)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    scaled = StandardScaler().fit_transform(x.numpy())
    peer = LogisticRegression(max_iter=10_000).fit(scaled, y.numpy())
    theirs = time.perf_counter() - start
    right = (probe.probabilities(x).argmax(1) == y).float().mean().item()
    assert abs(right - peer.score(scaled, y.numpy())) < 0.005
    name = f"linear probe, {images:,} x {dim}, {classes} classes, against scikit-learn"
    return [{"measure": name, "ours": 1 / ours, "peer": 1 / theirs, "unit": "fits/s"}]


MEASURES = {"training": training_rows, "augmentation": augmentation_rows, "probe": probe_rows}


def table(names: Iterable[str], quick: bool) -> pd.DataFrame:
    torch.set_num_threads(os.cpu_count())
    rows = [row | {"machine": machine()} for name in names for row in MEASURES[name](quick)]
    out = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("peer", "limit"):
        out[name] = out[name].astype(float)
        out[f"ratio_to_{name}"] = out["ours"] / out[name]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    parser.add_argument("--only", choices=MEASURES)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: the numbers mean nothing")
    args = parser.parse_args()
    missing = [name for name in ("lightly", "kornia") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"without {', '.join(missing)}: pip install --no-deps -r benchmarks/requirements.txt", file=sys.stderr)
    measured = table([args.only] if args.only else MEASURES, args.quick)
    recorded = pd.read_csv(args.out) if args.out.exists() else measured.iloc[:0]
    of_others = recorded[~recorded["machine"].isin(measured["machine"])]
    with replacing(args.out) as temporary:
        pd.concat([of_others, measured]).to_csv(temporary, index=False, float_format="%.4g", lineterminator="\n")
    print(measured.drop(columns="machine").to_string(index=False, float_format=lambda v: f"{v:.4g}", na_rep="-"))
    print(f"on {machine()}")


if __name__ == "__main__":
    main()
