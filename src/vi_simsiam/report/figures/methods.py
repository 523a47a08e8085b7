"""All methods compared: accuracy, and how well certainty scores tell right from wrong predictions."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vi_simsiam.evaluation.measures import outcomes
from vi_simsiam.evaluation.scores import IN_FIGURES
from vi_simsiam.report.figures.leaderboard import score_places, score_ticks
from vi_simsiam.report.figures.style import (
    block_title,
    blocks,
    draw_estimate,
    legend_height,
    method_style,
    methods_legend,
)
from vi_simsiam.report.runs import Run, grouped
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
    places = [_places(members) for members in datasets]
    heights = [
        (0.75 + 0.16 * len(members), 0.6 + _STEP * (max(of_scores.values(), default=1) + 2))
        for members, of_scores in zip(datasets, places, strict=True)
    ]
    groups = [[run for members in dataset.values() for run in members] for dataset in datasets]
    titles = [
        block_title(g, f"{len(g[0].images):,} test images, {g[0].crops['area'].nunique()} graded crops of each")
        for g in groups
    ]
    figure, legend, parts = blocks(titles, [0.2 + sum(pair) for pair in heights], legend_height(runs))
    methods_legend(legend, runs, lines=False)
    for part, members, of_scores, ratios in zip(parts, datasets, places, heights, strict=True):
        grid = part.add_gridspec(2, 1, height_ratios=ratios)
        _accuracies(grid[0].subgridspec(1, 4).subplots(sharey=True), members)
        panels = grid[1].subgridspec(1, len(_PANELS)).subplots(sharey=True)
        for axes, (measure, title) in zip(panels, _PANELS.items(), strict=True):
            _aurocs(axes, members, of_scores, measure, title)
    return figure


def _places(members: dict[str, list[Run]]) -> dict[tuple[str, str], float]:
    """The place of every estimate, by score and method."""
    return score_places(
        (score, method)
        for score in IN_FIGURES
        for method, runs in members.items()
        if any(f"{measure}/{score}" in run.measures for run in runs for measure in _PANELS)
    )


def _accuracies(panels: Sequence[Axes], members: dict[str, list[Run]]) -> None:
    columns = {
        "k-NN, whole images": lambda run: wilson(outcomes(run.images, "knn_correct")["knn_correct"]),
        "probe, whole images": lambda run: wilson(outcomes(run.images, "correct")["correct"]),
        "k-NN, graded crops": lambda run: run.estimate("crop_knn_top1"),
        "probe, graded crops": lambda run: run.estimate("crop_probe_top1"),
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
    axes: Axes, members: dict[str, list[Run]], places: dict[tuple[str, str], float], measure: str, title: str
) -> None:
    for (score, method), place in places.items():
        estimates = [run.estimate(f"{measure}/{score}") for run in members[method]]
        draw_estimate(axes, place, estimates, method, across=True)
    if not axes.lines:
        labelled = any(len(outcomes(run.images, "knn_correct")) for runs in members.values() for run in runs)
        title = f"{title}: not defined" if labelled else f"{title}:\nno labelled images"
        axes.set_xlim(0, 1)
    axes.axvline(0.5, color="black", linewidth=0.6)
    axes.set(title=title, xlabel="AUROC (0.5: chance)")
    score_ticks(axes, places)
    axes.grid(visible=False, axis="y")
