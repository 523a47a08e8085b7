"""The linear probe against scikit-learn's LogisticRegression, on features like an encoder's.

Features are Gaussian with class means, mixed so that the eigenvalues of their covariance fall as i^-1.5: those of
encoders trained here fall so (2,600 : 1 over 128 dimensions on CIFAR-10). Both get standardised features and C = 1;
scikit-learn stops at its default tolerance of 1e-4, ours goes on to 1e-6 or as far as rounding lets it.
"""

import sys
import time
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.core.randomness import generator
from vi_simsiam.evaluation import linear as linear_probe


def features(images: int, dim: int, classes: int = 10) -> tuple[Tensor, Tensor]:
    draw = generator("features")
    labels = torch.randint(classes, (images,), generator=draw)
    hidden = torch.randn(images, dim, generator=draw) + 0.15 * torch.randn(classes, dim, generator=draw)[labels]
    mixing = torch.linalg.qr(torch.randn(dim, dim, generator=draw))[0]
    return hidden * torch.arange(1, dim + 1) ** -0.75 @ mixing, labels


def seconds(images: int, dim: int) -> tuple[float, float]:
    """Seconds of our fit and of scikit-learn's on the same features. Both must classify them equally well."""
    linear_probe.fit(*features(1000, 16), 10)  # warms up
    x, y = features(images, dim)
    start = time.perf_counter()
    probe = linear_probe.fit(x, y, 10)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    scaled = StandardScaler().fit_transform(x.numpy())
    peer = LogisticRegression(max_iter=10_000).fit(scaled, y.numpy())
    theirs = time.perf_counter() - start
    right = (probe.probabilities(x).argmax(1) == y).float().mean().item()
    assert abs(right - peer.score(scaled, y.numpy())) < 0.005
    return ours, theirs
