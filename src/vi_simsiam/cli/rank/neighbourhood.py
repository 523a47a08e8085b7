"""Similarity of each photograph to its nearest others.

All pairs are compared in blocks, so that memory does not grow with their number.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from vi_simsiam.data.store import RowView

K = 20
_QUERIES, _BANK = 512, 4096  # rows of a block of cosines


def density(features: RowView, device: torch.device) -> np.ndarray:
    """Mean cosine to the K nearest others, or to all if these are fewer.

    Args:
        features: (N, dim) of the whole images, each image once.
        device: computes the cosines.

    Returns: (N,) float32 in [-1, 1]; NaN of a single image.
    """
    count = len(features)
    result = np.full(count, np.nan, np.float32)
    k = min(K, count - 1)
    if k == 0:
        return result
    for start, queries in _blocks(features, _QUERIES, device):
        nearest = torch.full((len(queries), 0), 0.0, device=device)
        for first, bank in _blocks(features, _BANK, device):
            cosines = queries @ bank.T
            begin, end = max(start, first), min(start + len(queries), first + len(bank))
            same = torch.arange(begin, max(begin, end), device=device)  # an image is not its own neighbour
            cosines[same - start, same - first] = -torch.inf
            nearest = torch.cat([nearest, cosines.topk(min(k, len(bank)), dim=1).values], 1)
            nearest = nearest.topk(min(k, nearest.shape[1]), dim=1).values
        result[start : start + len(queries)] = nearest.mean(1).clamp(-1, 1).cpu().numpy()
    return result


def _blocks(features: RowView, rows: int, device: torch.device) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(features), rows):
        block = torch.from_numpy(features[start : start + rows].astype(np.float32)).to(device)
        yield start, normalize(block, dim=1)
