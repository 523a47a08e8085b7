"""Weighted k-nearest-neighbour classification (Wu et al. 2018, arXiv 1805.01978, sec. 3.4) and k-NN density."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

_ELEMENTS = 1 << 24  # similarities held at once


def directions(features: Tensor) -> Tensor:
    """(N, dim) features to unit vectors (N, dim), float32."""
    return normalize(features.float(), dim=-1)


def neighbours(queries: Tensor, bank: Tensor, k: int, leave_one_out: bool = False) -> tuple[Tensor, Tensor]:
    """The k most similar rows of the bank for each query.

    Args:
        queries: (Q, dim) features, any length.
        bank: (N, dim) `directions` of features. The caller makes them once for all queries: they may be gigabytes.
        k: number of neighbours; at most N (N - 1 with leave_one_out) are returned.
        leave_one_out: True if query i is row i of the bank; an image is then not a neighbour of itself.

    Returns: cosines (Q, k), falling, and indices into the bank (Q, k).
    """
    queries = directions(queries)
    k = min(k, len(bank) - leave_one_out)
    rows = max(1, _ELEMENTS // len(bank))
    cosines, indices = [], []
    for start in range(0, len(queries), rows):
        similarity = queries[start : start + rows] @ bank.T
        if leave_one_out:
            row = torch.arange(len(similarity), device=similarity.device)
            similarity[row, row + start] = -torch.inf
        top = similarity.topk(k, dim=-1)
        cosines.append(top.values)
        indices.append(top.indices)
    return torch.cat(cosines), torch.cat(indices)


def vote(cosines: Tensor, labels: Tensor, classes: int, temperature: float) -> Tensor:
    """Class predictions (Q,) from neighbours: each votes for its label with weight exp(cosine / temperature).

    Args:
        cosines: (Q, k) from `neighbours`.
        labels: (Q, k) labels of the neighbours, in [0, classes).
    """
    # Less the largest: the same ratios, and no temperature is so low that all weights are 0.
    weights = torch.exp((cosines - cosines.amax(dim=-1, keepdim=True)) / temperature)
    votes = torch.zeros(len(labels), classes, device=cosines.device)
    return votes.scatter_add_(1, labels, weights).argmax(dim=-1)


def predict(
    queries: Tensor, bank: Tensor, labels: Tensor, k: int, temperature: float, leave_one_out: bool = False
) -> Tensor:
    """k-NN class predictions (Q,) of queries (Q, dim) from a labelled bank (N, dim), labels (N,)."""
    cosines, indices = neighbours(queries, directions(bank), k, leave_one_out)
    return vote(cosines, labels[indices], int(labels.max()) + 1, temperature)


def neighbour_correct(features: Tensor, labels: Tensor) -> Tensor:
    """Find images whose nearest other labelled image in cosine has the same label: (N,) bool, the classes of R-AUROC.

    Args:
        features: (N, dim). labels: (N,), on the same device; -1: no label; its result is False and has no
            meaning.

    Source: Kirchhof et al. 2023 (URL, arXiv 2307.03810).
    """
    same = torch.zeros_like(labels, dtype=torch.bool)
    labelled = labels >= 0
    if labelled.sum() > 1:
        features, labels = features[labelled], labels[labelled]
        nearest = neighbours(features, directions(features), 1, leave_one_out=True)[1].squeeze(1)
        same[labelled] = labels[nearest] == labels
    return same
