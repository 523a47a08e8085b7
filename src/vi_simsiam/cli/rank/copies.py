"""Near copies among images: edits of one picture, told from pictures that are only alike.

Each image is known by its low frequencies: 8 x 8 coefficients of the discrete cosine transform of its luma at 32 x 32
pixels, without the mean, scaled to length 1. The distance of two images is the smallest distance of these vectors over
the 8 turns and reflections of one of them and over its central crops.

How alike copies must be depends on the folder: the frames of a film and the blank parts of a production line are as
near to each other as copies are elsewhere. A group of images is therefore a group of copies only if it is separated:
all members are at most `SEPARATION` times as far from the central one as any member is from any other image. Such a
group is a cluster of single linkage, so all of them are in the minimum spanning tree of the distances; but a chain of
neighbours is no such group, because its ends are far from each of its images.
"""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from scipy.fft import dctn
from scipy.optimize import isotonic_regression
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from torch import Tensor

from vi_simsiam.cli.rank.facts import LOOK

FARTHEST = 0.25  # distance of copies, at most: twice what edits of photographs give (docs/your_images.md)
SEPARATION = 0.4  # of the distance to other images, at most: blank solar cells reach .48
_CROPS = (30, 28, 26)  # pixels of the sides of central squares: 88, 77 and 66 % of the area
_LOW = 8  # frequencies in each direction
_FLAT = 1.0  # root mean square of these in grey levels, below which an image shows nothing that could be compared
_QUERIES, _BANK = 256, 4096  # rows of a block of distances
_EDGES = 100_000  # that wait to be put into the tree
_CHANGED = 20  # pixels of 1024: a change that is elsewhere in less than `_LOCAL` of its energy is one of a small place
_LOCAL, _LEVELS = 0.6, 8.0  # and so many grey levels are more than an edit leaves there


def groups(looks: np.ndarray, device: torch.device) -> np.ndarray:
    """Number of the group of copies of each image; images without copies have a number for themselves: (N,).

    Args:
        looks: uint8 (N, LOOK, LOOK) of `facts.measure`, each image once. device: that compares them.
    """
    group = np.arange(len(looks))
    space = _Space(looks, device)
    for members in _separated(space.tree(), space):
        group[members] = members.min()
    return group


class _Space:
    """The images that show something, and their distances."""

    def __init__(self, looks: np.ndarray, device: torch.device):
        self.looks, self.device = looks, device
        low = _frequencies(looks.astype(np.float32))
        length = np.linalg.norm(low, axis=1)
        self.shown = np.flatnonzero(length / LOOK >= _FLAT)  # orthonormal: length / LOOK is a root mean square
        self.vectors = torch.from_numpy(_unit(low[self.shown])).to(device)

    def variants(self, rows: np.ndarray) -> Tensor:
        """Vectors of images turned, reflected and cropped: (variants, n, 64). rows: of `vectors`."""
        pixels = self.looks[self.shown[rows]].astype(np.float32)
        return torch.from_numpy(np.stack([_unit(_frequencies(each)) for each in _variants(pixels)])).to(self.device)

    def distances(self, rows: np.ndarray, others: slice | np.ndarray) -> Tensor:
        """Distance of each of some images, varied, to others as they are: (n, m)."""
        bank = self.vectors[others]
        cosines = torch.full((len(rows), len(bank)), -1.0, device=self.device)
        for vectors in self.variants(rows):
            cosines = torch.maximum(cosines, vectors @ bank.T)
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
                own = (rows >= first) & (rows < first + found.shape[1])
                found[np.flatnonzero(own), rows[own] - first] = torch.inf
                for row in range(0, len(rows), 16):  # a few at a time: there may be as many pairs as distances
                    near = (found[row : row + 16] <= FARTHEST).nonzero()
                    if len(near):
                        length = found[near[:, 0] + row, near[:, 1]].double()
                        pairs = near.double() + torch.tensor([start + row, first], device=self.device)
                        waiting.append(torch.column_stack([pairs, length]).cpu().numpy())
                    if sum(map(len, waiting)) > _EDGES:
                        forest, waiting = _shortest(forest, waiting), []
        return _shortest(forest, waiting)

    def outside(self, rows: np.ndarray) -> float:
        """Least distance of some images, varied, to all others as they are."""
        least, own = np.inf, np.isin(np.arange(len(self.vectors)), rows)
        for start in range(0, len(rows), _QUERIES):
            for first in range(0, len(own), _BANK):
                block = slice(first, first + _BANK)
                found = self.distances(rows[start : start + _QUERIES], block)[:, ~own[block]]
                least = min(least, float(found.min())) if found.numel() else least
        return least

    def centre(self, rows: np.ndarray) -> tuple[int, float]:
        """Of some images the one that is nearest to the others, as its place among them, and the farthest from it."""
        across = np.zeros((len(rows), len(rows)), np.float32)
        for start in range(0, len(rows), _QUERIES):
            across[start : start + _QUERIES] = self.distances(rows[start : start + _QUERIES], rows).cpu()
        across = np.minimum(across, across.T)
        centre = int(across.sum(1).argmin())
        return centre, float(across[centre].max())

    def alike(self, rows: np.ndarray, centre: int) -> bool:
        """Tell copies from images that differ in one small place: by a defect, a word, a person who left."""
        pixels = self.looks[self.shown[rows]].astype(np.float32)
        one = pixels[centre : centre + 1]
        return not any(_changed(one, pixels[start : start + _QUERIES]) for start in range(0, len(pixels), _QUERIES))


def _separated(forest: coo_array, space: _Space) -> Iterator[np.ndarray]:
    """Largest groups of copies, each as numbers of images, from the tree of clusters of single linkage.

    Clusters are met in the order in which they grow. The length at which one grows on is its distance to other images.
    """
    order = np.argsort(forest.data, kind="stable")
    edges = zip(forest.row[order], forest.col[order], forest.data[order], strict=True)
    members = {i: np.array([i]) for i in np.unique([forest.row, forest.col])}
    inside = dict.fromkeys(members, 0.0)  # the longest edge within
    accepted: dict[int, list[np.ndarray]] = {i: [] for i in members}  # largest groups within
    place = {i: i for i in members}

    def root(i: int) -> int:
        while place[i] != i:
            place[i] = place[place[i]]
            i = place[i]
        return i

    def close(i: int, outside: float | None = None) -> None:
        """Accept a cluster that is a group of copies. outside: the distance at which it meets others; None: beyond."""
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
        close(i, length)
        close(j, length)
        place[j] = i
        members[i] = np.concatenate([members[i], members.pop(j)])
        accepted[i] += accepted.pop(j)
        inside[i] = length
    for i in list(members):
        close(i)
        for rows in accepted[i]:
            yield space.shown[rows]


def _shortest(forest: coo_array, waiting: list[np.ndarray]) -> coo_array:
    """The forest after edges were added to it. waiting: (n, 3) first, second, length."""
    if not waiting:
        return forest
    first, second, length = np.concatenate([*waiting, np.column_stack([forest.row, forest.col, forest.data])]).T
    low, high = np.minimum(first, second).astype(int), np.maximum(first, second).astype(int)
    order = np.lexsort((length, high, low))  # of the two orders of a pair the shorter
    kept = order[np.append(True, (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0))]
    length = np.maximum(length[kept], 1e-9)  # a sparse array has no zeros
    edges = coo_array((length, (low[kept], high[kept])), shape=forest.shape)
    return coo_array(minimum_spanning_tree(edges.tocsr()))


def _variants(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """(n, side, side) in 8 turns and reflections, and their central crops at the same size."""
    for turned in (pixels, pixels.transpose(0, 2, 1)):
        for rows in (slice(None), slice(None, None, -1)):
            for columns in (slice(None), slice(None, None, -1)):
                yield turned[:, rows, columns]
    yield from _cropped(pixels)


def _cropped(pixels: np.ndarray) -> Iterator[np.ndarray]:
    for side in _CROPS:
        start = (LOOK - side) // 2
        box = (start, start, start + side, start + side)
        images = (Image.fromarray(image) for image in pixels)
        yield np.stack([np.asarray(i.resize((LOOK, LOOK), Image.Resampling.BILINEAR, box)) for i in images])


def _frequencies(pixels: np.ndarray) -> np.ndarray:
    """Low frequencies of images (n, LOOK, LOOK) without the mean: (n, 64)."""
    low = dctn(pixels, axes=(1, 2), norm="ortho")[:, :_LOW, :_LOW].reshape(len(pixels), -1)
    low[:, 0] = 0
    return low


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _changed(one: np.ndarray, others: np.ndarray) -> bool:
    """Look for an image that is the one image with a change in one small place.

    Args:
        one: (1, LOOK, LOOK). others: (n, LOOK, LOOK).
    """
    flat, ones = others.reshape(len(others), -1), np.stack([each[0].ravel() for each in _variants(one)])
    cosines = _centred(flat) @ _centred(ones).T
    first, second, best = flat, ones[cosines.argmax(1)], cosines.max(1)  # the one as it is most like each other
    for crops in _cropped(others):  # or it is a crop of the other
        crops = crops.reshape(flat.shape)
        cosines = (_centred(crops) * _centred(one.reshape(1, -1))).sum(1)
        better = (cosines > best)[:, None]
        first, second = np.where(better, crops, first), np.where(better, one.ravel(), second)
        best = np.maximum(best, cosines)
    x, y = (each - each.mean(1, keepdims=True) for each in (first, second))
    slope = (x * y).sum(1, keepdims=True) / np.maximum((y * y).sum(1, keepdims=True), 1e-6)
    return any(_changed_beyond_exposure(first[i], second[i]) for i in np.flatnonzero(_local(x - slope * y)))


def _local(residuals: np.ndarray) -> np.ndarray:
    """Find differences (n, pixels) that lie in one small place: (n,) booleans."""
    energy = np.sort(residuals**2, axis=1)[:, ::-1]
    return (energy[:, 0] > _LEVELS**2) & (energy[:, :_CHANGED].sum(1) > _LOCAL * energy.sum(1))


def _changed_beyond_exposure(first: np.ndarray, second: np.ndarray) -> bool:
    """Tell a change in one small place from a change of exposure, after which levels rise with the other image's."""
    residuals = [y - _rising(x, y) for x, y in ((first, second), (second, first))]
    return bool(_local(min(residuals, key=lambda residual: residual @ residual)[None])[0])


def _rising(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The function of x that never falls and fits y (n,) best, at each x: (n,)."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(place, y) / counts
    return isotonic_regression(means, weights=counts).x[place]


def _centred(vectors: np.ndarray) -> np.ndarray:
    return _unit(vectors - vectors.mean(1, keepdims=True))
