"""Photographs that are near each other: how typical each is, and groups of near-duplicates.

All pairs are compared, a block of them at a time, so that memory does not grow with their number.
"""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn.functional import normalize

from vi_simsiam.cli.rank.facts import bits_apart
from vi_simsiam.data.store import RowView

K = 20
_QUERIES, _BANK = 512, 4096  # rows of a block of cosines
_SEARCHED = 64  # rows of one in which pairs are looked for at once: there may be as many as cosines
# Near-duplicates: cosine of their features at least, bits in which their perceptual hashes differ at most. Measured on
# CIFAR-10 with EfficientNet-Lite0 (docs/your_images.md): features alone take things of one kind for duplicates, hashes
# alone empty pictures.
COSINE, BITS = 0.5, 8


def neighbourhood(features: RowView, hashes: np.ndarray, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """What the other photographs say of each.

    Args:
        features: (N, dim) of the whole images, each image once. hashes: (N,) of `facts.perceptual_hash`.

    Returns: mean cosine to the K nearest others (to all where there are fewer; NaN where there is none), (N,) float32;
        a number that near-duplicates, chains of them included, have in common, (N,).
    """
    count = len(features)
    density = np.full(count, np.nan, np.float32)
    group = np.arange(count)
    k = min(K, count - 1)
    for start, queries in _blocks(features, _QUERIES, device):
        nearest = torch.full((len(queries), 0), 0.0, device=device)
        for first, bank in _blocks(features, _BANK, device):
            cosines = queries @ bank.T
            if start < first + len(bank):  # each pair is met twice
                group = _joined(group, _duplicates(cosines, start, first, hashes))
            begin, end = max(start, first), min(start + len(queries), first + len(bank))
            own = torch.arange(begin, max(begin, end), device=device)  # an image is not its own neighbour
            cosines[own - start, own - first] = -torch.inf
            nearest = torch.cat([nearest, cosines.topk(min(k, len(bank)), dim=1).values], 1)
            nearest = nearest.topk(min(k, nearest.shape[1]), dim=1).values
        if k:
            density[start : start + len(queries)] = nearest.mean(1).cpu().numpy()
    return density, group


def _blocks(features: RowView, rows: int, device: torch.device) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(features), rows):
        block = torch.from_numpy(features[start : start + rows].astype(np.float32)).to(device)
        yield start, normalize(block, dim=1)


def _duplicates(cosines: Tensor, start: int, first: int, hashes: np.ndarray) -> np.ndarray:
    """Pairs of near-duplicates, (n, 2), the lower number before the higher.

    Args:
        cosines: a block of all cosines, whose first row is number `start` and whose first column is number `first`.
    """
    found = []
    for row in range(0, len(cosines), _SEARCHED):
        pairs = (cosines[row : row + _SEARCHED] >= COSINE).nonzero().cpu().numpy() + (start + row, first)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        found.append(pairs[bits_apart(hashes[pairs[:, 0]], hashes[pairs[:, 1]]) <= BITS])
    return np.concatenate(found)


def _joined(group: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Groups after those of each pair are joined."""
    if not len(pairs):
        return group
    first, second = pairs.T
    edges = coo_array((np.ones(len(first), bool), (group[first], group[second])), shape=(len(group),) * 2)
    labels = connected_components(edges, directed=False)[1]
    return labels[group]
