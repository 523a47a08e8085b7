"""Running a frozen model over many images."""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.data.store import FORGET_AFTER, RowView, release_pages
from vi_simsiam.methods import Method
from vi_simsiam.nn.precision import exact_float32

CPU = torch.device("cpu")
IMAGES_AT_ONCE = 256  # images that are scored at once where a score needs their pixels
_HELD = 64 << 20  # bytes of results that stay on a GPU until they are read off it together


def best_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the CPU to the device; to a GPU from pinned memory, so that neither waits for the other."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def batches(images: np.ndarray | RowView, batch_size: int, device: torch.device = CPU) -> Iterator[Tensor]:
    """uint8 images (N, H, W, C), in memory or memory-mapped, as float tensors (B, C, H, W) in [0, 1] on the device."""
    read = 0
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(np.array(images[start : start + batch_size]))
        if (read := read + batch.nbytes) >= FORGET_AFTER:
            release_pages(images)
            read = 0
        yield to_device(batch, device).permute(0, 3, 1, 2).float() / 255


def images_to_score(model: Method, images: np.ndarray | RowView, batch_size: int) -> Iterator[Tensor | None]:
    """Batches of images on the model's device for `own_scores`, beside batches of their features.

    Yields: as `batches`; None without end where the method's scores need no images.
    """
    if not model.scores_images:
        yield from repeat(None)
    device = next(model.parameters()).device
    for batch in batches(images, batch_size):
        yield to_device(batch, device)


@torch.no_grad()
@exact_float32()
def extract(
    model: Method, images: Iterable[Tensor], read: Callable[[Tensor, Tensor], dict[str, Tensor]] | None = None
) -> dict[str, Tensor]:
    """Apply a frozen model to many images.

    Args:
        model: on any device; it is put into evaluation mode.
        images: at least one batch (B, C, H, W) in [0, 1], for instance from `batches`.
        read: from a batch's features (B, dim) and its images, both on the model's device, to named tensors (B, ...),
            for instance `Method.own_scores`. By default the features themselves under the name "features".

    Returns: the named tensors of all images, float32, on the CPU.
    """
    device = next(model.parameters()).device
    model.eval()
    parts: list[dict[str, Tensor]] = []
    on_device: list[dict[str, Tensor]] = []  # not read off yet
    held = 0
    for batch in images:
        batch = batch.to(device)
        features = model.features(batch)
        named = {"features": features} if read is None else read(features, batch)
        on_device.append({name: tensor.float() for name, tensor in named.items()})
        held += sum(tensor.nbytes for tensor in on_device[-1].values())
        if held > _HELD:
            parts.append(_read_off(on_device))
            on_device, held = [], 0
    return _joined([*parts, _read_off(on_device)] if on_device else parts)


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _read_off(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Join the parts and move them to the CPU. The CPU waits for a GPU once for each name, not for each part."""
    return {name: tensor.cpu() for name, tensor in _joined(parts).items()}
