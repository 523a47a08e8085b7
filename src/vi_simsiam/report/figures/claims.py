"""All claims with their intervals, thresholds and verdicts."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vi_simsiam.report.claim_rows import RANGES
from vi_simsiam.report.claims import ClaimResult, findings
from vi_simsiam.report.figures.style import block_title, blocks, message, method_style
from vi_simsiam.report.runs import Run, grouped
from vi_simsiam.stats.intervals import mean_over_seeds

_ROW = 0.17  # inches per claim
_FRAME = 0.45  # inches of a panel's axis and label
# Axis label by the scale of a claim's quantity, from the top down.
_SCALES = {
    "difference": "accuracy of VI-SimSiam − accuracy of SimSiam",
    "correlation": "rank correlation with κ",
    "probability": "AUROC, or share of crops (0.5: chance)",
    "cosine": "expected cosine",
}
_LOOKS = {
    "supported": {"color": "#1b7837", "marker": "o"},
    "inconclusive": {"color": "#777777", "marker": "o", "markerfacecolor": "white"},
    "not supported": {"color": "#762a83", "marker": "X"},
}
_CLAIMED = "#e9f2e9"  # ground of the claimed side


def claims(runs: list[Run], margin: float) -> Figure:
    """A row per claim: estimate, interval over images and seeds, the images' part of it, seeds, verdict."""
    results = findings(runs, margin)
    groups, of = grouped(results, "dataset", "method"), grouped(runs, "dataset", "method")
    if not groups:
        return message("no claim can be decided: no method with kappa in this run")
    panels = [
        [panel for scale in _SCALES if (panel := [f for f in group if f.claim.scale == scale])]
        for group in groups.values()
    ]
    heights = [[_FRAME + _ROW * len(panel) for panel in group] for group in panels]
    titles = [
        block_title(of[key], f"claims about {method_style(key[1]).label}, {len(of[key][0].images):,} test images")
        for key in groups
    ]
    figure, legend, parts = blocks(titles, [0.25 + sum(rows) for rows in heights])
    _legend(legend)
    for part, group, ratios in zip(parts, panels, heights, strict=True):
        grid = part.subplots(len(group), 1, squeeze=False, height_ratios=ratios)[:, 0]
        for axes, panel in zip(grid, group, strict=True):
            _forest(axes, panel)
    return figure


def _forest(axes: Axes, panel: Sequence[ClaimResult]) -> None:
    scale = panel[0].claim.scale
    limits = _limits(panel) if scale == "difference" else RANGES[scale]
    for place, finding in enumerate(panel):
        claim, total = finding.claim, finding.estimate
        end = limits[claim.above]
        axes.barh(place, end - claim.threshold, left=claim.threshold, height=1, color=_CLAIMED, zorder=0)
        look, images = _LOOKS[finding.verdict], mean_over_seeds(finding.seeds)
        axes.plot([total.ci_low, total.ci_high], [place, place], color=look["color"], linewidth=0.8)
        axes.plot([images.ci_low, images.ci_high], [place, place], color=look["color"], linewidth=2.6, alpha=0.5)
        axes.plot([total.estimate], [place], linestyle="none", **look)
        if len(finding.seeds) > 1:
            seeds = [seed.estimate for seed in finding.seeds]
            axes.plot(seeds, [place] * len(seeds), color="black", marker=".", markersize=2.2, linestyle="none")
        digits = 3 if scale == "difference" else 2
        numbers = [f"{value:.{digits}f}".replace("-", "−") for value in total[:3]]
        text = f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"
        # A star marks a verdict that does not survive the correction for multiple testing.
        verdict = finding.verdict + ("" if finding.verdict_holm == finding.verdict else " *")
        # In points, not in shares of the axes: the layout leaves room for it.
        for column, words, colour in ((4, text, "black"), (108, verdict, look["color"])):
            axes.annotate(
                words, (1, place), xycoords=axes.get_yaxis_transform(), xytext=(column, 0),
                textcoords="offset points", va="center", fontsize=7, color=colour, annotation_clip=False,
            )  # fmt: skip
    for threshold in {finding.claim.threshold for finding in panel}:
        axes.axvline(threshold, color="black", linewidth=0.6)
    axes.set_yticks(range(len(panel)), [finding.claim.name for finding in panel])
    axes.set(xlabel=_SCALES[scale], ylim=(len(panel) - 0.5, -0.5), xlim=limits)
    axes.grid(visible=False, axis="y")


def _limits(panel: Sequence[ClaimResult]) -> tuple[float, float]:
    """Limits of an axis of differences: it holds all intervals and seeds, the threshold and 0."""
    values = [value for f in panel for value in (*f.estimate[:3], *(s.estimate for s in f.seeds), f.claim.threshold)]
    low, high = min([*values, 0.0]), max([*values, 0.0])
    space = 0.05 * (high - low)
    return float(low - space), float(np.nextafter(high + space, 1))


def _legend(part: FigureBase) -> None:
    handles = [Line2D([], [], linestyle="none", label=verdict, **look) for verdict, look in _LOOKS.items()]
    handles += [
        Line2D([], [], color="#777777", linewidth=0.8, label="95 %, images and seeds"),
        Line2D([], [], color="#777777", linewidth=2.6, alpha=0.5, label="images alone"),
        Line2D([], [], color="black", marker=".", markersize=2.2, linestyle="none", label="seeds"),
        Patch(color=_CLAIMED, label="claimed side"),
    ]
    part.legend(handles=handles, loc="center", ncols=len(handles), handlelength=1.2, columnspacing=1)
