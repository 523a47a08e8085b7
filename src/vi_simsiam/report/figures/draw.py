"""Draws the figures of the registry, whose functions are found by their names."""

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from matplotlib.figure import Figure

from vi_simsiam.config.schema import PlotParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.report.figures.registry import FIGURES
from vi_simsiam.report.figures.style import drawing_style, save
from vi_simsiam.report.runs import Run

_REGISTRY = "src/vi_simsiam/report/figures/registry.py"


def figure_functions() -> dict[str, Callable[..., Figure]]:
    """The function of every figure, by file name.

    Raises: Problem naming a row whose function or parameter does not exist, or a figure's function without a row. A
        public function of this folder that takes `runs` and returns a `Figure` is a figure's.
    """
    functions = {name: _function(name) for name in FIGURES}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        module = import_module(f"{__package__}.{path.stem}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if _draws(function, module) and function not in functions.values():
                raise Problem(f"the figure {path.stem}:{name} has no row in the table of {_REGISTRY}. Add one.")
    return functions


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


def _draws(function: Callable, module: ModuleType) -> bool:
    signature = inspect.signature(function)
    return (
        function.__module__ == module.__name__
        and not function.__name__.startswith("_")
        and next(iter(signature.parameters), None) == "runs"
        and signature.return_annotation in (Figure, "Figure")
    )
