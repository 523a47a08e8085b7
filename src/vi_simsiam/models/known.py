"""Training images that a model knows: how like them new images are."""

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
K = 20  # nearest training images
UNLIKE = 0.01  # share of the training images that are as unlike the others
_BYTES, _MOST = 20_000_000, 20_000  # of features that are kept, and images
_BLOCK = 1024


@dataclass(frozen=True)
class KnownImages:
    """Features of a model's training images, all of them or an even selection.

    Attributes:
        bank: (n, dim) unit vectors, float32, on the model's device; rounded to float16.
        own: (n,) density of each among the others, float32; NaN where there are no others.
    """

    bank: Tensor
    own: Tensor

    def density(self, features: Tensor) -> Tensor:
        """Mean cosine of features (B, dim) to the K nearest known images, (B,) in [-1, 1]; a known one finds itself."""
        return neighbours(features, self.bank, K)[0].mean(1)

    @property
    def threshold(self) -> float:
        """Density below which an image is unlike anything known: `UNLIKE` of the known images are below it."""
        return float(np.quantile(self.own.cpu().numpy(), UNLIKE))


def selection(count: int, dim: int) -> np.ndarray:
    """Rows of the training images that are kept, at even steps: (n,), at most 20 MB and 20,000 images."""
    most = max(2, min(count, _MOST, _BYTES // (2 * dim)))
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))


def write(folder: Path, features: Tensor) -> None:
    """Write `folder`/known.safetensors of features (n, dim) of the images of `selection`."""
    kept = directions(features).half()
    own = neighbours(kept, directions(kept), K, leave_one_out=True)[0].mean(1)
    with replacing(folder / FILE) as temporary:
        safetensors.torch.save_file({"features": kept.cpu().contiguous(), "density": own.float().cpu()}, temporary)


def read(folder: Path, device: torch.device) -> KnownImages:
    """Read `folder`/known.safetensors. Raises: Problem when it is damaged."""
    try:
        tensors = safetensors.torch.load_file(folder / FILE)
        return KnownImages(directions(tensors["features"].to(device)), tensors["density"])
    except (OSError, SafetensorError, KeyError) as error:
        raise Problem(
            f"{folder / FILE} is damaged ({error}): copy the folder again, or run `pretrain` again."
        ) from None
