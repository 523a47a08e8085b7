"""Where each of a job's parameters comes from, and which edits of params.yaml have no effect."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from vi_simsiam.config.loading import STEPS, lineage, resolve
from vi_simsiam.core import git
from vi_simsiam.core.text import brief

Keys = tuple[str, ...]
_SECTION = "section"
_SETTERS = 3  # recipes that a sentence names, at most


def origins(
    params: Mapping[str, Any], step: str, dataset: str | None = None, method: str | None = None
) -> dict[Keys, tuple[Any, str]]:
    """Each value of `resolve` by its keys, with its origin.

    The origin is `section`, `recipes.<data set>`, or `recipes.<other> (like)` where the recipe has it from another.
    """
    line = [] if dataset is None else lineage(params["recipes"], dataset)
    section = dict(_leaves(params[step]))
    values = {}
    for keys, value in _leaves(resolve(params, step, dataset, method)):
        name = _setter(params, step, line, keys)
        origin = _SECTION if name is None else f"recipes.{name}" + " (like)" * (name != dataset)
        written = section.get(keys) if name is None else dict(_overrides(params, step, name))[keys]
        if (step, keys) == ("download", ("source",)) and written is None:
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
    """What each recipe changes of the sections, as YAML, with the origins as comments."""
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


def without_effect(params: Mapping[str, Any], before: Any) -> list[str]:
    """Edited values of the sections that the recipes of all chosen data sets override, a sentence each.

    Args:
        params: the whole (checked) mapping.
        before: what the values are compared with to see which were edited, e.g. the committed file (`committed`).
            Anything but a mapping: nothing counts as edited.
    """
    chosen = params["datasets"]
    compared = [name for dataset in chosen for name in resolve(params, "uncertainty", dataset)["ood"]]
    sentences = []
    for step in STEPS:
        old = before.get(step) if isinstance(before, Mapping) else None
        if step == "plot" or not isinstance(old, Mapping):
            continue
        datasets = dict.fromkeys([*chosen, *compared] if step in ("download", "cache_views") else chosen)
        lines = [lineage(params["recipes"], dataset) for dataset in datasets]
        unedited = dict(_leaves(old))
        for keys, value in _leaves(params[step]):
            if unedited.get(keys, value) == value:
                continue
            names = [_setter(params, step, line, keys) for line in lines]
            if None not in names:
                setters = {
                    name: brief(dict(_overrides(params, step, name))[keys]) for name in names if name is not None
                }
                sets = [f"recipes.{name} sets {other}" for name, other in list(setters.items())[:_SETTERS]]
                more = f" and {len(setters) - _SETTERS} more do" * (len(setters) > _SETTERS)
                key = ".".join((step, *keys))
                sentences.append(f"{key} = {brief(value)} has no effect: {', '.join(sets)}{more} for all of datasets")
    return sentences


def committed(path: Path) -> Any:
    """A YAML file as it is in git's last commit; None where there is no such file, no commit or no git."""
    try:
        text = git.answer(path.parent, "show", f"HEAD:./{path.name}") or ""
        return YAML(typ="safe").load(text)
    except YAMLError:
        return None


def _setter(params: Mapping[str, Any], step: str, line: list[str], keys: Keys) -> str | None:
    """The last recipe of a line that sets a value; None: none does."""
    return next((name for name in reversed(line) if keys in dict(_overrides(params, step, name))), None)


def _overrides(params: Mapping[str, Any], step: str, name: str) -> Iterator[tuple[Keys, Any]]:
    return _leaves((params["recipes"][name] or {}).get(step) or {})


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
