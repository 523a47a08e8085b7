"""The origin of each of a job's parameters."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML

from vi_simsiam.config.loading import STEPS, lineage, resolve

Keys = tuple[str, ...]


def origins(
    params: Mapping[str, Any], step: str, dataset: str | None = None, method: str | None = None
) -> dict[Keys, tuple[Any, str]]:
    """Each value of `resolve` by its keys, with its origin.

    The origin is `section`, `recipes.<data set>`, or `recipes.<other> (like)` where the recipe has it from another. A
    null `download.source` becomes a value of origin `name of recipes.<root of like>` or `because path is set`.
    """
    written = {keys: (value, "section") for keys, value in _leaves(params[step])}
    line = [] if dataset is None else lineage(params["recipes"], dataset)
    for name in line:
        origin = f"recipes.{name}" + " (like)" * (name != dataset)
        overrides = (params["recipes"][name] or {}).get(step) or {}
        written |= {keys: (value, origin) for keys, value in _leaves(overrides)}
    values = {}
    for keys, value in _leaves(resolve(params, step, dataset, method)):
        before, origin = written[keys]
        if (step, keys) == ("download", ("source",)) and before is None:
            origin = f"name of recipes.{line[0]}" if value != "files" else "because path is set"
        values[keys] = value, origin
    return values


def of_job(params: Mapping[str, Any], dataset: str, method: str | None = None) -> str:
    """All parameters of the jobs of a data set and a method as YAML, each with its origin as a comment."""
    values: dict[Keys, tuple[Any, str]] = {}
    for step in STEPS:
        of_step = origins(params, step, None if step == "plot" else dataset, method if step == "pretrain" else None)
        values |= {(step, *keys): entry for keys, entry in of_step.items()}
    return _as_yaml(values)


def of_recipes(params: Mapping[str, Any]) -> str:
    """The values that each recipe changes, as YAML, each with its origin as a comment."""
    texts = []
    for name in params["recipes"]:
        values = {
            (name, step, *keys): entry
            for step in STEPS
            if step != "plot"
            for keys, entry in origins(params, step, name).items()
            if entry[1].startswith("recipes.")
        }
        texts.append(_as_yaml(values) if values else f"{_flow(name)}: {{}}\n")
    return "".join(texts)


def _leaves(mapping: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every value that is not a mapping, by its keys."""
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _as_yaml(values: Mapping[Keys, tuple[Any, str]]) -> str:
    lines: list[str] = []
    above: tuple[str, ...] = ()
    for (*parents, key), (value, origin) in values.items():
        for depth, parent in enumerate(parents):
            if above[: depth + 1] != tuple(parents[: depth + 1]):
                lines.append(f"{'  ' * depth}{_flow(parent)}:\n")
        above = tuple(parents)
        lines.append(f"{'  ' * len(parents)}{_flow(key)}: {_flow(value)}  # {origin}\n")
    return "".join(lines)


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    writer, text = YAML(typ="safe"), io.StringIO()
    writer.default_flow_style, writer.width = True, 1 << 30
    writer.dump([value], text)
    return text.getvalue().strip()[1:-1]
