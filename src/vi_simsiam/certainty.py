"""Certainty scores of images, of graded crops and of augmented views: larger always means more certain."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from vi_simsiam import knn
from vi_simsiam.features import batches, extract
from vi_simsiam.linear_probe import LinearProbe
from vi_simsiam.methods import Method
from vi_simsiam.randomness import generator
from vi_simsiam.resampling import fixed_crops


class Scorer:
    """Everything that is said about an image by a frozen model, its probe and its training features.

    Args:
        model: on any device.
        probe: linear probe of the model's features; None where there are no labels.
        bank: (N, dim) features of the training images.
        labels: (N,) their labels, or None.
        k, temperature: of the k-NN.
    """

    def __init__(
        self, model: Method, probe: LinearProbe | None, bank: Tensor, labels: Tensor | None, k: int, temperature: float
    ):
        self.model, self.probe, self.k, self.temperature = model, probe, k, temperature
        self.device = next(model.parameters()).device
        self.bank = bank.to(self.device)
        self.labels = None if labels is None else labels.to(self.device)

    def score(self, images) -> dict[str, np.ndarray]:
        """Score batches (B, C, H, W) of images in [0, 1].

        Returns: columns of n values:
            `feature_norm`: length of the features;
            `knn_density`: mean cosine to the k nearest training images, in [-1, 1];
            the method's own scores (`kappa` in (0, inf), `expected_cosine` in (0, 1), `posterior_precision`);
            with labels also `predicted`, `knn_predicted` and `probe_confidence`, the probe's largest probability.
        """
        named = extract(self.model, images, self._read)
        return {
            name: tensor.numpy().astype(np.int64 if name in ("predicted", "knn_predicted") else np.float64)
            for name, tensor in named.items()
        }

    def _read(self, features: Tensor) -> dict[str, Tensor]:
        features = features.float()
        cosines, indices = knn.neighbours(features, self.bank, self.k)
        out = {"feature_norm": features.norm(dim=-1), "knn_density": cosines.mean(-1), **self.model.certainty(features)}
        if self.labels is not None:
            classes = int(self.labels.max()) + 1
            out["knn_predicted"] = knn.vote(cosines, self.labels[indices], classes, self.temperature)
        if self.probe is not None:
            out["probe_confidence"], out["predicted"] = self.probe.probabilities(features).max(-1)
        return out


def view_agreement(model: Method, views: np.ndarray, batch_size: int) -> np.ndarray:
    """Mean cosine between the embeddings of an image's views, over all pairs: (N,) in [-1/(V-1), 1].

    Args:
        views: uint8 (N, V, H, W, C), V >= 2.
    """
    n, count = views.shape[:2]
    flat = views.reshape(n * count, *views.shape[2:])
    z = extract(model, batches(flat, batch_size), lambda f: {"z": model.embedding(f)})["z"].double()
    # |sum of z|^2 = V + the sum over ordered pairs of different views
    squared = z.view(n, count, -1).sum(1).square().sum(-1)
    return ((squared - count) / (count * (count - 1))).numpy()


def graded_boxes(n: int, areas: list[float], size: int, seed: int) -> dict[str, np.ndarray]:
    """Square crops of given areas at random places, one per image and area.

    Args:
        n: number of images, size x size pixels.
        areas: shares of the image's area, in (0, 1].
        seed: of the places.

    Returns: columns of n x len(areas) rows, images in order, an image's areas in the order given: index, area,
        top, left, height, width (pixels; sides are whole, so the share is only nearly `area`).
    """
    sides = np.clip(np.rint(np.sqrt(areas) * size), 1, size).astype(int)
    place = torch.rand(n, len(areas), 2, generator=generator(seed, "graded crops"), dtype=torch.float64).numpy()
    corner = np.floor(place * (size - sides + 1)[None, :, None]).astype(int)
    side = np.tile(sides, n)
    return {
        "index": np.repeat(np.arange(n), len(areas)),
        "area": np.tile(np.asarray(areas, float), n),
        "top": corner[..., 0].ravel(),
        "left": corner[..., 1].ravel(),
        "height": side,
        "width": side,
    }


def crop_batches(images: np.ndarray, boxes: dict[str, np.ndarray], batch_size: int) -> Iterator[Tensor]:
    """The crops of `graded_boxes`, resized to the images' size: float batches (B, C, size, size) in [0, 1]."""
    size = images.shape[1]
    corners = np.stack([boxes[name] for name in ("top", "left", "height", "width")], axis=1)
    for start in range(0, len(corners), batch_size):
        rows = slice(start, start + batch_size)
        source = torch.from_numpy(images[boxes["index"][rows]])
        yield fixed_crops(source, torch.from_numpy(corners[rows]), size)
