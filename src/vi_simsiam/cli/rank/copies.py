"""Near copies among images: edits of one picture, as opposed to pictures that are merely similar.

An image is represented by its low frequencies: 8 x 8 coefficients of the discrete cosine transform of its luma at
32 x 32 pixels, without the mean, scaled to length 1. The distance between two images is the smallest distance between
these vectors over the 8 rotations and reflections of one image and over its central crops.

How similar copies must be depends on the folder: frames of a film, or blank parts of a production line, are as close to
each other as copies are elsewhere. A group of images is therefore a group of copies only if it is separated: no member
is farther from the central one than `SEPARATION` times the smallest distance between a member and any other image.
Separated groups are single-linkage clusters, so the minimum spanning tree of the distances contains them all. A chain
of neighbours is not separated, because its ends are far from its central image.
"""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.fft import dct
from scipy.optimize import isotonic_regression
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from torch import Tensor

from vi_simsiam.cli.rank.facts import LOOK

FARTHEST = 0.25  # largest distance of copies: twice that of edited photographs (docs/your_images.md)
SEPARATION = 0.4  # largest ratio to the distance from other images; blank solar cells reach .48
_CROPS = (30, 28, 26)  # sides of the central crops in pixels: 88, 77 and 66 % of the area
_LOW = 8  # frequencies in each direction
_FLAT = 1.0  # root mean square of these in grey levels below which an image is too flat to compare
_QUERIES, _BANK = 256, 4096  # rows of a block of distances
_EDGES = 100_000  # edges that are collected before the tree is updated
# A change is local if `_CHANGED` of the 1024 pixels hold more than `_LOCAL` of its energy and it exceeds `_LEVELS`
# grey levels: edits of the whole image leave less in one place.
_CHANGED, _LOCAL, _LEVELS = 20, 0.6, 8.0


def groups(looks: np.ndarray, device: torch.device) -> np.ndarray:
    """Number of each image's group of copies, (N,). An image without copies forms a group alone.

    Args:
        looks: uint8 (N, LOOK, LOOK) of `facts.measure`, each image once.
        device: computes the distances.
    """
    group = np.arange(len(looks))
    space = _Space(looks, device)
    for members in _separated(space.tree(), space):
        group[members] = members.min()
    return group


class _Space:
    """The images with enough contrast to compare, and their distances."""

    def __init__(self, looks: np.ndarray, device: torch.device):
        self.looks, self.device = looks, device
        low = _frequencies(looks.astype(np.float32))
        length = np.linalg.norm(low, axis=1)
        self.shown = np.flatnonzero(length / LOOK >= _FLAT)  # the transform is orthonormal
        self.vectors = torch.from_numpy(_unit(low[self.shown])).to(device)

    def variants(self, rows: np.ndarray) -> Tensor:
        """Vectors of the rotated, reflected and cropped images: (variants, n, 64). rows: of `vectors`."""
        pixels = self.looks[self.shown[rows]].astype(np.float32)
        return torch.from_numpy(np.stack([_unit(_frequencies(each)) for each in _variants(pixels)])).to(self.device)

    def distances(self, rows: np.ndarray, others: slice | np.ndarray) -> Tensor:
        """Smallest distance of any variant of the images `rows` to each of `others`: (n, m) in [0, 2]."""
        bank = self.vectors[others]
        cosines = torch.full((len(rows), len(bank)), -1.0, device=self.device)
        for vectors in self.variants(rows):
            torch.maximum(cosines, vectors @ bank.T, out=cosines)
        return (2 - 2 * cosines).clamp_min(0).sqrt_()

    def tree(self) -> coo_array:
        """Minimum spanning forest of the distances up to `FARTHEST`."""
        count = len(self.vectors)
        forest = coo_array((count, count))
        waiting: list[np.ndarray] = []
        for start in range(0, count, _QUERIES):
            rows = np.arange(start, min(start + _QUERIES, count))
            for first in range(0, count, _BANK):
                found = self.distances(rows, slice(first, first + _BANK))
                same = (rows >= first) & (rows < first + found.shape[1])
                itself = torch.from_numpy(np.stack([np.flatnonzero(same), rows[same] - first])).to(self.device)
                found[tuple(itself)] = torch.inf
                for row in range(0, len(rows), 16):  # 16 at a time, because every distance may give a pair
                    near = (found[row : row + 16] <= FARTHEST).nonzero()
                    if len(near):
                        length = found[near[:, 0] + row, near[:, 1]].double()
                        pairs = near.double() + torch.tensor([start + row, first], device=self.device)
                        waiting.append(torch.column_stack([pairs, length]).cpu().numpy())
                    if sum(map(len, waiting)) > _EDGES:
                        forest, waiting = _shortest(forest, waiting), []
        return _shortest(forest, waiting)

    def outside(self, rows: np.ndarray) -> float:
        """Smallest distance of any variant of the images `rows` to all other images; inf if there are none."""
        least, members = np.inf, np.isin(np.arange(len(self.vectors)), rows)
        for start in range(0, len(rows), _QUERIES):
            for first in range(0, len(members), _BANK):
                block = slice(first, first + _BANK)
                found = self.distances(rows[start : start + _QUERIES], block)[:, ~members[block]]
                least = min(least, float(found.min())) if found.numel() else least
        return least

    def centre(self, rows: np.ndarray) -> tuple[int, float]:
        """Index in `rows` of the image with the smallest sum of distances to the others, and the largest of these."""
        across = np.zeros((len(rows), len(rows)), np.float32)
        for start in range(0, len(rows), _QUERIES):
            across[start : start + _QUERIES] = self.distances(rows[start : start + _QUERIES], rows).cpu()
        across = np.minimum(across, across.T)
        centre = int(across.sum(1).argmin())
        return centre, float(across[centre].max())

    def alike(self, rows: np.ndarray, centre: int) -> bool:
        """True unless an image differs from the central one in one small place, such as a defect or a word."""
        pixels = self.looks[self.shown[rows]].astype(np.float32)
        one = pixels[centre : centre + 1]
        return not any(_changed(one, pixels[start : start + _QUERIES]) for start in range(0, len(pixels), _QUERIES))


def _separated(forest: coo_array, space: _Space) -> Iterator[np.ndarray]:
    """Largest groups of copies, each as numbers of images, among the single-linkage clusters.

    Edges join clusters in ascending order, so the edge that joins a cluster to another is its distance to other images.
    """
    order = np.argsort(forest.data, kind="stable")
    edges = zip(forest.row[order], forest.col[order], forest.data[order], strict=True)
    members = {i: np.array([i]) for i in np.unique([forest.row, forest.col])}
    inside = dict.fromkeys(members, 0.0)  # longest edge in each cluster
    accepted: dict[int, list[np.ndarray]] = {i: [] for i in members}  # largest groups in each cluster
    parent = {i: i for i in members}

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def judge(i: int, outside: float | None = None) -> None:
        """Accept a cluster that is a group of copies. outside: distance to other images; None: above `FARTHEST`."""
        limit = FARTHEST if outside is None else min(FARTHEST, SEPARATION * outside)
        if len(members[i]) < 2 or inside[i] > limit:
            return
        centre, farthest = space.centre(members[i])
        if outside is None and farthest <= limit:
            limit = min(limit, SEPARATION * space.outside(members[i]))
        if farthest <= limit and space.alike(members[i], centre):
            accepted[i] = [members[i]]

    for first, second, length in edges:
        i, j = root(first), root(second)
        judge(i, length)
        judge(j, length)
        parent[j] = i
        members[i] = np.concatenate([members[i], members.pop(j)])
        accepted[i] += accepted.pop(j)
        inside[i] = length
    for i in list(members):
        judge(i)
        for rows in accepted[i]:
            yield space.shown[rows]


def _shortest(forest: coo_array, waiting: list[np.ndarray]) -> coo_array:
    """Minimum spanning forest of a forest and further edges. waiting: arrays (n, 3) of first, second, length."""
    if not waiting:
        return forest
    first, second, length = np.concatenate([*waiting, np.column_stack([forest.row, forest.col, forest.data])]).T
    low, high = np.minimum(first, second).astype(int), np.maximum(first, second).astype(int)
    order = np.lexsort((length, high, low))  # the shorter edge of a pair comes first
    shortest = order[np.append(True, (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0))]
    length = np.maximum(length[shortest], 1e-9)  # a sparse array drops zeros
    edges = coo_array((length, (low[shortest], high[shortest])), shape=forest.shape)
    return coo_array(minimum_spanning_tree(edges.tocsr()))


def _variants(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Images (n, LOOK, LOOK) in 8 rotations and reflections, then central crops of the upright ones, resized."""
    for turned in (pixels, pixels.transpose(0, 2, 1)):
        for rows in (slice(None), slice(None, None, -1)):
            for columns in (slice(None), slice(None, None, -1)):
                yield turned[:, rows, columns]
    yield from _cropped(pixels)


def _cropped(pixels: np.ndarray) -> Iterator[np.ndarray]:
    for enlarge in _ENLARGED:
        yield enlarge @ pixels @ enlarge.T


def _frequencies(pixels: np.ndarray) -> np.ndarray:
    """Low frequencies of images (n, LOOK, LOOK) without the mean: (n, 64)."""
    low = (_COSINES @ pixels @ _COSINES.T).reshape(len(pixels), -1)
    low[:, 0] = 0
    return low


def _enlarged(side: int) -> np.ndarray:
    """Matrix (LOOK, LOOK) that enlarges the central `side` pixels to LOOK by linear interpolation."""
    pixel = np.arange(LOOK)
    places = np.clip((pixel + 0.5) * side / LOOK - 0.5, 0, side - 1) + (LOOK - side) // 2
    return np.maximum(0, 1 - np.abs(places[:, None] - pixel)).astype(np.float32)


_COSINES = dct(np.eye(LOOK, dtype=np.float32), axis=0, norm="ortho")[:_LOW]
_ENLARGED = [_enlarged(side) for side in _CROPS]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _changed(one: np.ndarray, others: np.ndarray) -> bool:
    """True if any of the others (n, LOOK, LOOK) is `one`, (1, LOOK, LOOK), with a change in one small place."""
    flat, ones = others.reshape(len(others), -1), np.stack([each[0].ravel() for each in _variants(one)])
    cosines = _centred(flat) @ _centred(ones).T
    first, second, best = flat, ones[cosines.argmax(1)], cosines.max(1)  # the variant of `one` most similar to each
    for crops in _cropped(others):  # or `one` is a crop of the other
        crops = crops.reshape(flat.shape)
        cosines = (_centred(crops) * _centred(one.reshape(1, -1))).sum(1)
        better = (cosines > best)[:, None]
        first, second = np.where(better, crops, first), np.where(better, one.ravel(), second)
        best = np.maximum(best, cosines)
    x, y = (each - each.mean(1, keepdims=True) for each in (first, second))
    slope = (x * y).sum(1, keepdims=True) / np.maximum((y * y).sum(1, keepdims=True), 1e-6)
    return any(_changed_beyond_exposure(first[i], second[i]) for i in np.flatnonzero(_local(x - slope * y)))


def _local(residuals: np.ndarray) -> np.ndarray:
    """Find differences (n, pixels) that few pixels hold: (n,) booleans."""
    energy = np.sort(residuals**2, axis=1)[:, ::-1]
    return (energy[:, 0] > _LEVELS**2) & (energy[:, :_CHANGED].sum(1) > _LOCAL * energy.sum(1))


def _changed_beyond_exposure(first: np.ndarray, second: np.ndarray) -> bool:
    """True if two images differ in one small place even after the best monotonic change of exposure."""
    residuals = [y - _rising(x, y) for x, y in ((first, second), (second, first))]
    return bool(_local(min(residuals, key=lambda residual: residual @ residual)[None])[0])


def _rising(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Isotonic (non-decreasing) least-squares fit of y (n,) to x (n,): its value at each x, (n,)."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(place, y) / counts
    return isotonic_regression(means, weights=counts).x[place]


def _centred(vectors: np.ndarray) -> np.ndarray:
    return _unit(vectors - vectors.mean(1, keepdims=True))
