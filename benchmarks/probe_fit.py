"""The linear probe against scikit-learn's LogisticRegression, on features like an encoder's.

    python benchmarks/probe_fit.py [--images 50000] [--dim 512]

Features are Gaussian with class means, mixed so that the eigenvalues of their covariance fall as i^-1.5: those of
encoders trained here fall so (2,600 : 1 over 128 dimensions on CIFAR-10). Both get standardised features and C = 1;
scikit-learn stops at its default tolerance of 1e-4, ours goes on to 1e-6 or as far as rounding lets it.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.core.randomness import generator
from vi_simsiam.evaluation import linear as linear_probe


class Timing(NamedTuple):
    """Seconds and accuracies on the same features."""

    ours: float
    peer: float
    our_accuracy: float
    peer_accuracy: float


def features(images: int, dim: int, classes: int = 10) -> tuple[Tensor, Tensor]:
    draw = generator("features")
    labels = torch.randint(classes, (images,), generator=draw)
    hidden = torch.randn(images, dim, generator=draw) + 0.15 * torch.randn(classes, dim, generator=draw)[labels]
    mixing = torch.linalg.qr(torch.randn(dim, dim, generator=draw))[0]
    return hidden * torch.arange(1, dim + 1) ** -0.75 @ mixing, labels


def compare(images: int, dim: int) -> Timing:
    x, y = features(images, dim)
    start = time.perf_counter()
    probe = linear_probe.fit(x, y, 10)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    scaled = StandardScaler().fit_transform(x.numpy())
    peer = LogisticRegression(max_iter=10_000).fit(scaled, y.numpy())
    seconds = time.perf_counter() - start
    right = (probe.probabilities(x).argmax(1) == y).float().mean().item()
    return Timing(ours, seconds, right, float(peer.score(scaled, y.numpy())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=512)
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count())
    linear_probe.fit(*features(1000, 16), 10)  # warms up
    found = compare(args.images, args.dim)
    print(f"{args.images:,} x {args.dim}, 10 classes: ours {found.ours:.2f} s, scikit-learn {found.peer:.2f} s")
    print(f"training accuracy: ours {found.our_accuracy:.4f}, scikit-learn {found.peer_accuracy:.4f}")


if __name__ == "__main__":
    main()
