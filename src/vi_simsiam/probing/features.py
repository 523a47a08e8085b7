"""Running a frozen model over many images."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.data.store import FORGET_AFTER, forget
from vi_simsiam.methods import Method
from vi_simsiam.nn.precision import exact_float32


def best_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def batches(images: np.ndarray, batch_size: int) -> Iterator[Tensor]:
    """uint8 images (N, H, W, C), in memory or memory-mapped, as float tensors (B, C, H, W) in [0, 1]."""
    read = 0
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(np.array(images[start : start + batch_size]))
        if (read := read + batch.nbytes) >= FORGET_AFTER:
            forget(images)
            read = 0
        yield batch.permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
@exact_float32()
def extract(
    model: Method, images: Iterable[Tensor], read: Callable[[Tensor], dict[str, Tensor]] | None = None
) -> dict[str, Tensor]:
    """Apply a frozen model to many images.

    Args:
        model: on any device; it is put into evaluation mode.
        images: at least one batch (B, C, H, W) in [0, 1], for instance from `batches`.
        read: from a batch's features (B, dim) on the model's device to named tensors (B, ...). By default the features
            themselves under the name "features".

    Returns: the named tensors of all images, on the CPU.
    """
    device = next(model.parameters()).device
    model.eval()
    parts: list[dict[str, Tensor]] = []
    for batch in images:
        features = model.features(batch.to(device))
        named = {"features": features} if read is None else read(features)
        parts.append({name: tensor.float().cpu() for name, tensor in named.items()})
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
