"""All methods compared: accuracy, and how well certainty scores tell right from wrong predictions."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vi_simsiam.evaluation.measures import outcomes
from vi_simsiam.evaluation.scores import IN_FIGURES, SCORES
from vi_simsiam.report.figures.style import (
    block_title,
    blocks,
    draw_estimate,
    legend_height,
    method_style,
    methods_legend,
)
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.report.tables import estimate_of
from vi_simsiam.stats.intervals import wilson

_STEP = 0.12  # inches between two methods' estimates
_PANELS = {
    "auroc_correct": "probe right, whole images",
    "auroc_crop_correct": "probe right, graded crops",
    "r_auroc": "neighbour's class (R-AUROC)",
}


def methods(runs: list[Run]) -> Figure:
    """Accuracies on whole images and graded crops above; AUROC of every certainty score below."""
    datasets = [grouped(group, "method") for group in grouped(runs, "dataset").values()]
    rows = [_score_rows(members) for members in datasets]
    heights = [
        (0.75 + 0.16 * len(members), 0.6 + _STEP * (scores[-1][2] + 2 if scores else 3))
        for members, scores in zip(datasets, rows, strict=True)
    ]
    groups = [[run for members in dataset.values() for run in members] for dataset in datasets]
    titles = [block_title(group, _sizes(group[0])) for group in groups]
    figure, legend, parts = blocks(titles, [0.2 + sum(pair) for pair in heights], legend_height(runs))
    methods_legend(legend, runs, lines=False)
    for part, members, scores, ratios in zip(parts, datasets, rows, heights, strict=True):
        grid = part.add_gridspec(2, 1, height_ratios=ratios)
        _accuracies(grid[0].subgridspec(1, 4).subplots(sharey=True), members)
        panels = grid[1].subgridspec(1, len(_PANELS)).subplots(sharey=True)
        for axes, (measure, title) in zip(panels, _PANELS.items(), strict=True):
            _aurocs(axes, members, scores, measure, title)
    return figure


def _sizes(run: Run) -> str:
    return f"{len(run.images):,} test images, {run.crops['area'].nunique()} graded crops of each"


def _score_rows(members: dict[str, list[Run]]) -> list[tuple[str, str, float]]:
    """(score, method, place) of every estimate there is, from the top down; a gap between scores."""
    rows, place = [], 0.0
    for score in IN_FIGURES:
        for method, runs in members.items():
            if any(f"{measure}/{score}" in run.measures for run in runs for measure in _PANELS):
                rows.append((score, method, place))
                place += 1
        place += 1 if rows and rows[-1][0] == score else 0
    return rows


def _accuracies(panels: Sequence[Axes], members: dict[str, list[Run]]) -> None:
    columns = {
        "k-NN, whole images": lambda run: wilson(outcomes(run.images, "knn_correct")["knn_correct"]),
        "probe, whole images": lambda run: wilson(outcomes(run.images, "correct")["correct"]),
        "k-NN, graded crops": lambda run: estimate_of(run, "crop_knn_top1"),
        "probe, graded crops": lambda run: estimate_of(run, "crop_probe_top1"),
    }
    for axes, (title, estimate) in zip(panels, columns.items(), strict=True):
        for place, (method, runs) in enumerate(members.items()):
            draw_estimate(axes, place, [estimate(run) for run in runs], method, across=True)
        axes.set(title=title, xlabel="accuracy")
        if not axes.lines:
            axes.set(title=f"{title}:\nno labelled images", xlim=(0, 1))
        axes.grid(visible=False, axis="y")
    panels[0].set_yticks(range(len(members)), [method_style(method).label for method in members])
    panels[0].set_ylim(len(members) - 0.5, -0.5)


def _aurocs(
    axes: Axes, members: dict[str, list[Run]], rows: Sequence[tuple[str, str, float]], measure: str, title: str
) -> None:
    places: dict[str, list[float]] = {}
    for score, method, place in rows:
        estimates = [estimate_of(run, f"{measure}/{score}") for run in members[method]]
        draw_estimate(axes, place, estimates, method, across=True)
        places.setdefault(score, []).append(place)
    if not axes.lines:
        title = f"{title}:\nno labelled images" if not _labelled(members) else f"{title}: not defined"
        axes.set_xlim(0, 1)
    axes.axvline(0.5, color="black", linewidth=0.6)
    axes.set(title=title, xlabel="AUROC (0.5: chance)")
    axes.set_yticks([sum(p) / len(p) for p in places.values()], [SCORES[score].label for score in places])
    axes.set_ylim(rows[-1][2] + 1 if rows else 1, -1)
    axes.grid(visible=False, axis="y")


def _labelled(members: dict[str, list[Run]]) -> bool:
    return any(len(outcomes(run.images, "knn_correct")) for runs in members.values() for run in runs)
