"""Similarity of new images to a model's training images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import replacing
from vi_simsiam.evaluation.knn import directions, neighbours

FILE = "known.safetensors"
K = 20  # nearest training images that are averaged
UNLIKE = 0.01  # quantile of the known images' densities; an image below it is unlike them
_BYTES, _MOST = 20_000_000, 20_000  # limits of the stored features: bytes and images


@dataclass(frozen=True)
class KnownImages:
    """Features of all training images of a model, or of some at even steps.

    Attributes:
        bank: (n, dim) float32 unit vectors on the model's device; stored as float16.
        densities: (n,) float32, of each image among the others, on the CPU; NaN of a single image.
    """

    bank: Tensor
    densities: Tensor

    def density(self, features: Tensor) -> Tensor:
        """Mean cosine of features (B, dim) to the K nearest known images: (B,). A known image finds itself."""
        return neighbours(features, self.bank, K)[0].mean(1).clamp(-1, 1)

    @property
    def threshold(self) -> float:
        """Density below which an image counts as unlike the known images: the `UNLIKE` quantile of `densities`."""
        return float(np.quantile(self.densities.cpu().numpy(), UNLIKE))


def selection(count: int, dim: int) -> np.ndarray:
    """Rows of the training images to store, at even steps: (n,) int64, at most 20,000 images and 20 MB of features."""
    most = max(2, min(count, _MOST, _BYTES // (2 * dim)))
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))


def write(folder: Path, features: Tensor) -> None:
    """Write `folder`/known.safetensors. features: (n, dim), of the images that `selection` names."""
    stored = directions(features).half()
    densities = neighbours(stored, directions(stored), K, leave_one_out=True)[0].mean(1)
    with replacing(folder / FILE) as temporary:
        safetensors.torch.save_file(
            {"features": stored.cpu().contiguous(), "density": densities.float().cpu()}, temporary
        )


def read(folder: Path, device: torch.device) -> KnownImages:
    """Read `folder`/known.safetensors. Raises: Problem when it is missing or damaged."""
    try:
        tensors = safetensors.torch.load_file(folder / FILE)
        return KnownImages(directions(tensors["features"].to(device)), tensors["density"])
    except (OSError, SafetensorError, KeyError) as error:
        raise Problem(
            f"{folder / FILE} is damaged ({error}): copy the folder again, or run `pretrain` again."
        ) from None
