"""A map of the test images by their features, coloured by kappa and by class."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from vi_simsiam.report.figures.kappa import NO_KAPPA, kappa_groups
from vi_simsiam.report.figures.style import block_title, blocks, log_ticks, message, method_style, shortened
from vi_simsiam.report.runs import Run

_MOST = 2000  # images on a map
_NAMED = 20  # classes that a legend can name
# On digits a map of 500 iterations keeps 61.0 % of the five nearest neighbours, one of 1,000 keeps 61.5 %.
_ITERATIONS = 500


def embedding_map(runs: list[Run]) -> Figure:
    """t-SNE of the test images' features of the first seed of each method with kappa."""
    groups = kappa_groups(runs)
    if not groups:
        return message(NO_KAPPA)
    titles = [_title(group[0]) for group in groups]
    figure, _, parts = blocks(titles, [3.3] * len(groups), legend=0)
    for part, group in zip(parts, groups, strict=True):
        _maps(part, group[0])
    return figure


def _title(run: Run) -> str:
    label, count = method_style(run.method).label, min(_MOST, len(run.images))
    return block_title([run], f"{label}, t-SNE of {count:,} test images").replace("1 seed", f"seed {run.seed}")


def _maps(part: FigureBase, run: Run) -> None:
    by_kappa, by_class = part.subplots(1, 2)
    for axes in (by_kappa, by_class):
        axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        axes.set_frame_on(False)
        axes.grid(visible=False)
    which = chosen(len(run.images))
    places = tsne(np.asarray(run.test_features[which]))
    if places is None:
        for axes in (by_kappa, by_class):
            axes.text(0.5, 0.5, "no map: too few images, or equal features", ha="center", transform=axes.transAxes)
        return
    table = run.images.iloc[which]
    kappa = table["kappa"].to_numpy(float)
    low, high = np.nanquantile(kappa, [0.02, 0.98])  # a few extremes would take all the colours
    norm = LogNorm(max(low, 1e-6), max(high, 1.01 * low, 2e-6), clip=True)
    points = by_kappa.scatter(*places.T, c=np.maximum(kappa, 1e-6), s=5, cmap="viridis", norm=norm, linewidth=0)
    bar = part.colorbar(points, ax=by_kappa, shrink=0.8, pad=0.01)
    bar.ax.set_title("κ", fontsize=7.5)
    bar.set_ticks(log_ticks(norm.vmin, norm.vmax), minor=False)
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter("{x:g}")
    by_kappa.set_title("by κ")
    _by_class(by_class, places, table["label"].to_numpy(), run.store["classes"])


def _by_class(axes: Axes, places: NDArray, label: NDArray, classes: list[str]) -> None:
    labels = [int(name) for name in np.unique(label) if name >= 0]
    if not labels:
        axes.scatter(*places.T, color="#777777", s=5, linewidth=0)
        axes.set_title("by class: no labelled images")
        return
    axes.scatter(*places[label < 0].T, color="#cccccc", s=5, linewidth=0)
    colours = colormaps["tab10" if len(classes) <= 10 else "tab20" if len(classes) <= _NAMED else "hsv"]
    scale = 1 if len(classes) <= _NAMED else 256 / len(classes)
    for name in labels:
        colour = [colours(int(name * scale))]
        axes.scatter(*places[label == name].T, color=colour, s=5, linewidth=0, label=shortened(classes[name], 16))
    axes.set_title("by class" if len(labels) <= _NAMED else f"by class ({len(labels)} classes)")
    if len(labels) <= _NAMED:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2, handletextpad=0.1, borderpad=0)


def chosen(n: int) -> NDArray[np.intp]:
    """Rows of the images on the map: all, or a random part of them."""
    return np.arange(n) if n <= _MOST else np.sort(np.random.default_rng(0).choice(n, _MOST, replace=False))


def tsne(features: NDArray) -> NDArray[np.float64] | None:
    """Places (n, 2) of features (n, dim) by their directions; the same on any number of cores. None: no map."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(length > 0, length, 1)
    if len(unit) < 5 or not np.isfinite(unit).all() or np.ptp(unit, axis=0).max() < 1e-6 or unit.shape[1] < 2:
        return None
    perplexity = min(30.0, (len(unit) - 1) / 3)
    with threadpool_limits(1):  # sums in another order would give another map
        embedding = TSNE(init="pca", perplexity=perplexity, max_iter=_ITERATIONS, random_state=0)
        return embedding.fit_transform(unit).astype(float)
