"""Origins of a job's parameters: a section of params.yaml, or a recipe."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML

from vi_simsiam.config.loading import STEPS, lineage, resolve

Keys = tuple[str, ...]


def origins(params: Mapping[str, Any], step: str, dataset: str | None = None) -> dict[Keys, str]:
    """Origin of each value of `resolve`, by its keys.

    The origin is `section`, `recipes.<data set>`, or `recipes.<other> (like)` for an inherited value. That of a
    `download.source` in place of null is `name of recipes.<root of like>` or `because path is set`.
    """
    written = {keys: (value, "section") for keys, value in _leaves(params[step])}
    line = [] if dataset is None else lineage(params["recipes"], dataset)
    for name in line:
        origin = f"recipes.{name}" + " (like)" * (name != dataset)
        overrides = (params["recipes"][name] or {}).get(step) or {}
        written |= {keys: (value, origin) for keys, value in _leaves(overrides)}
    found = {keys: origin for keys, (_, origin) in written.items()}
    if step == "download" and written["source",][0] is None:
        found["source",] = "because path is set" if written["path",][0] else f"name of recipes.{line[0]}"
    return found


def of_job(params: Mapping[str, Any], dataset: str, method: str | None = None) -> str:
    """All parameters of the jobs of a data set and a method as YAML, each with its origin as a comment."""
    lines = []
    for step in STEPS:
        of = None if step == "plot" else dataset
        lines += [f"{step}:", *_lines(resolve(params, step, of, method), origins(params, step, of))]
    return "\n".join(lines)


def _leaves(mapping: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every value that is not a mapping, by its keys."""
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _lines(mapping: Mapping[str, Any], origin: Mapping[Keys, str], above: Keys = ()) -> Iterator[str]:
    """Lines of YAML of a mapping below a step and the keys `above`."""
    indent = "  " * (len(above) + 1)
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(value, origin, (*above, key))
        else:
            yield f"{indent}{key}: {_flow(value)}  # {origin[*above, key]}"


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    writer, text = YAML(typ="safe"), io.StringIO()
    writer.default_flow_style, writer.width = True, 1 << 30
    writer.dump([value], text)
    return text.getvalue().strip()[1:-1]
