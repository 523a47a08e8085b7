"""Certainty scores of any images: larger always means more certain."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.evaluation import knn
from vi_simsiam.evaluation.features import CPU, batches, extract, images_to_score
from vi_simsiam.evaluation.linear import LinearProbe
from vi_simsiam.methods import Method
from vi_simsiam.nn.precision import exact_float32


class Scorer:
    """All scores and predictions that a frozen model, its probe and its training features give for an image.

    Args:
        model: on any device.
        probe: linear probe of the model's features, of no classes where there are no labels.
        train_features: (N, dim) features of the training images.
        labels: (N,) their labels, -1 for no label. Only labelled images vote for classes.
        k, temperature: of the k-NN.
        losses: (N,) of the training images, of probes that were fitted without them; read where there is a label.

    Attributes:
        input_device: the device that prepares images.
        classes: number of classes of the k-NN, 0 without labels.
    """

    def __init__(
        self,
        model: Method,
        probe: LinearProbe,
        train_features: Tensor,
        labels: Tensor,
        k: int,
        temperature: float,
        losses: Tensor,
    ):
        self.model, self.probe, self.k, self.temperature = model, probe, k, temperature
        self.device = next(model.parameters()).device
        # A cached feature is found by an image's bits as the CPU computes them.
        self.input_device = self.device if model.feature_cache is None else CPU
        self.train_features = train_features.to(self.device)
        self.directions = knn.directions(self.train_features)
        labelled = labels >= 0
        self.labels, self.log_losses = labels[labelled].to(self.device), losses[labelled].log().to(self.device)
        # Computed once: reading a number off a GPU waits for it.
        self.classes = int(self.labels.max()) + 1 if len(self.labels) else 0
        # Directions of the images that vote for classes.
        self.voters = self.directions if labelled.all() else self.directions[labelled.to(self.device)]

    def score(self, images: Iterable[Tensor]) -> dict[str, np.ndarray]:
        """Score batches (B, C, H, W) of images in [0, 1], best on the device `input_device`.

        Returns: columns of n values: `feature_norm`, `knn_density` and the method's own scores; of a method that
            projects, `embedding_norm`; with labels, `knn_predicted`, `loss_prediction`, `predicted` and
            `probe_confidence`. `scores.SCORES` says what each score is.

        Raises: ValueError when the method gives other scores than its `certainty_scores` name.
        """
        return _columns(extract(self.model, images, self._read))

    @torch.no_grad()
    @exact_float32()
    def score_features(self, features: np.ndarray, images: np.ndarray, rows: int) -> dict[str, np.ndarray]:
        """Score images whose features are known.

        Args:
            features: (N, dim).
            images: uint8 (N, H, W, C); they are read only if the method's scores need pixels.
            rows: number of images that are scored at a time.

        Returns: as `score`.
        """
        self.model.eval()
        parts = zip(torch.from_numpy(features).split(rows), images_to_score(self.model, images, rows), strict=False)
        named = [self._read(part.to(self.device), pixels) for part, pixels in parts]
        return _columns({name: torch.cat([part[name] for part in named]).float().cpu() for name in named[0]})

    def score_views(self, views: np.ndarray, batch_size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Score the views of N images.

        Args:
            views: uint8 (N, V, H, W, C), V >= 2.

        Returns: as `score`, columns of N V values; and the agreement of each image's views: the mean cosine between
            their embeddings, over all pairs, (N,) in [-1/(V-1), 1].
        """
        n, count = views.shape[:2]
        flat = batches(views.reshape(n * count, *views.shape[2:]), batch_size, self.input_device)
        named = extract(self.model, flat, lambda f, x: self._read(f, x) | {"embedding": self.model.embedding(f)})
        z = named.pop("embedding").view(n, count, -1)
        return _columns(named), agreement(z).numpy()

    def _read(self, features: Tensor, images: Tensor | None) -> dict[str, Tensor]:
        features = features.float()
        cosines, indices = knn.neighbours(features, self.directions, self.k)
        out = {"feature_norm": features.norm(dim=-1), "knn_density": cosines.mean(-1).clamp(-1, 1)}
        out |= self.model.own_scores(features, images)
        if self.model.projects:
            out["embedding_norm"] = self.model.projection(features).float().norm(dim=-1)
        if self.classes:
            if self.voters is not self.directions:
                cosines, indices = knn.neighbours(features, self.voters, self.k)
            out["knn_predicted"] = knn.vote(cosines, self.labels[indices], self.classes, self.temperature)
            out["loss_prediction"] = -self.log_losses[indices].mean(-1)
        if len(self.probe.weight):
            out["probe_confidence"], out["predicted"] = self.probe.probabilities(features).max(-1)
        return out


def agreement(z: Tensor) -> Tensor:
    """Mean cosine over all pairs of views, of embeddings (N, V, d) of length 1: (N,) float64."""
    z, count = z.double(), z.shape[1]
    # |sum of z|^2 = V + the sum over ordered pairs of different views
    return (z.sum(1).square().sum(-1) - count) / (count * (count - 1))


def _columns(named: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {
        name: tensor.numpy().astype(np.int64 if name in ("predicted", "knn_predicted") else np.float64)
        for name, tensor in named.items()
    }


def view_mean(kappa: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Geometric mean of kappa over the views of each image: (N,).

    The geometric mean, because kappa is a scale: a single view with a huge value must not decide.

    Args:
        kappa: (M,) > 0. index: (M,) the image of each view, in [0, N).
    """
    return np.exp(np.bincount(index, np.log(kappa)) / np.bincount(index))
