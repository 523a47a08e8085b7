"""Draw the figures of the registry, whose functions are found by their names."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from matplotlib.figure import Figure

from vi_simsiam.config.schema import PlotParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.report.figures.registry import FIGURES
from vi_simsiam.report.figures.style import drawing_style, save
from vi_simsiam.report.runs import Run

_REGISTRY = "src/vi_simsiam/report/figures/registry.py"


def figure_functions() -> dict[str, Callable[..., Figure]]:
    """The function of every figure, by file name.

    Raises: Problem naming a row whose function or parameter does not exist.
    """
    return {name: _function(name) for name in FIGURES}


def draw_figures(
    functions: dict[str, Callable[..., Figure]], runs: list[Run], params: PlotParams, folder: Path
) -> None:
    """Draw every figure of `runs` into `folder`. The same inputs give the same bytes.

    Args:
        functions: from `figure_functions`, all or some.
    """
    for name, function in functions.items():
        with drawing_style():
            save(function(runs, *(getattr(params, field) for field in FIGURES[name].params)), folder / name)


def _function(name: str) -> Callable[..., Figure]:
    row = FIGURES[name]
    module, _, function = row.function.partition(":")
    try:
        drawing = getattr(import_module(f"{__package__}.{module}"), function)
    except (ImportError, AttributeError) as error:
        raise Problem(f"{_REGISTRY}: the row of {name} names {row.function}, which is not there ({error}).") from None
    if unknown := set(row.params) - set(PlotParams.model_fields):
        raise Problem(f"{_REGISTRY}: the row of {name} names {', '.join(unknown)}, no parameter of the step plot.")
    return drawing
