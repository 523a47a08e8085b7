"""Reading and checking params.yaml, and deciding which job gets which of its parameters.

The Snakefile imports this on every call, so it needs nothing heavy.
"""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vi_simsiam.config import encoders, reading
from vi_simsiam.config.fields import Section
from vi_simsiam.config.schema import METHOD_SECTIONS, METHODS, PARTS, SECTIONS, sentences
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import brief

STEPS: tuple[str, ...] = tuple(SECTIONS)
AXES = ("datasets", "methods", "seeds")

_METHOD_MODULES = Path(__file__).parents[1] / "methods"

# A data set's name becomes a folder, a wildcard and a part of commands.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def load(
    path: str | Path = "params.yaml", files: Iterable[str | Path] = (), options: Iterable[str] = (), alone: bool = False
) -> dict[str, Any]:
    """Read and check a parameter file, and what changes it in turn.

    Args:
        path: of the parameter file.
        files: further files, whose values override those before (Snakemake's --configfile).
        options: `key=value`, the value as YAML, after the files (--config).
        alone: `files` and `options` hold everything; `path` is not read (--replace-workflow-config).

    Returns: the mapping, checked.
    Raises: Problem naming the file and every fault in it.
    """
    params: Any = {}
    if not alone:
        params = reading.read(path)
        check(params, str(path))
    changes = [(str(file), reading.read(file)) for file in files]
    for option in options:
        key, _, text = option.partition("=")
        changes.append(("--config", {key: reading.parse(text, "--config", key)}))
    for source, change in changes:
        if not isinstance(change, Mapping):
            raise Problem(f"{source}: must hold keys and values, not {brief(change)}")
        params = merged(params, change)
    if changes:
        check(params, f"{path} with --config or --configfile")
    return params


def check(params: Any, source: str = "params.yaml") -> None:
    """Raise a `Problem` that lists every fault: its key, its value, and what is allowed. `source` names the file."""
    if missing := list(_forgotten()):
        raise Problem("; ".join(missing))
    faults = list(_faults(params)) or list(_ood_faults(params))
    if faults:
        raise Problem(f"{source}: " + (faults[0] if len(faults) == 1 else "\n  - ".join(["", *faults])))


def resolve(params: Mapping[str, Any], step: str, dataset: str | None = None, method: str | None = None) -> dict:
    """The parameters of one job: the step's section, overridden by the data set's recipe and those it is `like`.

    Args:
        params: the whole (checked) mapping.
        step: name of the step.
        dataset: name of a recipe; None for the step with one job for all data sets (`plot`).
        method: for `pretrain`, the method, whose job gets only what it uses.
    """
    section, line = dict(params[step]), []
    if dataset is not None:
        line = lineage(params["recipes"], dataset)
        section = _inherited(section, params["recipes"], line, step)
    if step == "pretrain" and method is not None:
        section["backbone"] = encoders.used(section["backbone"], method)
        if method == "untrained":
            section = {"backbone": section["backbone"]}
        others = set(METHOD_SECTIONS) - set(PARTS[method])
        section = {key: value for key, value in section.items() if key not in others}
    if step == "download" and section.get("source") is None:
        # A variant (`like`) has the images of the recipe that it varies.
        section["source"] = next(iter(line), None) if section.get("path") is None else "files"
    return section


def _forgotten() -> Iterator[str]:
    """What a method of `PARTS` still needs, a sentence each that names the place."""
    for method, names in PARTS.items():
        if not (_METHOD_MODULES / f"{method}.py").is_file():
            yield f"PARTS in config/schema.py has method {method}, but there is no methods/{method}.py: write it"
        for name in set(names) - set(METHOD_SECTIONS):
            yield f"PARTS in config/schema.py gives {method} a section {name}: add it to the class PretrainParams there"
    for name in set(METHOD_SECTIONS).difference(*PARTS.values()):
        yield f"PretrainParams in config/schema.py has a section {name}: add it to its method's row of PARTS there"


def _without_row(method: Any) -> str:
    """A part of a sentence, where a method has a module and no row in `PARTS`; else empty."""
    if not str(method).isidentifier() or method in PARTS or not (_METHOD_MODULES / f"{method}.py").is_file():
        return ""
    return f" (methods/{method}.py is there: add its row to PARTS in config/schema.py)"


def _faults(params: Any) -> Iterator[str]:
    if not isinstance(params, Mapping):
        yield f"the file must hold keys and values, not {brief(params)}"
        return
    keys = (*AXES, *SECTIONS, "recipes")
    for key in params:
        if key not in keys:
            yield f"{key}: unknown key{nearest(str(key), keys)}; known are {', '.join(keys)}"
    for key in keys:
        if key not in params:
            yield f"{key}: missing"
    recipes = params.get("recipes", {})
    if not isinstance(recipes, Mapping):
        yield f"recipes = {brief(recipes)}: must map data set names to recipes"
        recipes = {}
    yield from _axis_faults(params, recipes)
    sound = {}
    for name, kind in SECTIONS.items():
        if name in params:
            faults = list(_section_faults(kind, params[name], name))
            sound[name] = not faults
            yield from faults
    for name, recipe in recipes.items():
        yield from _recipe_faults(name, recipe, params, recipes, sound)


def _axis_faults(params: Mapping[str, Any], recipes: Mapping[str, Any]) -> Iterator[str]:
    allowed = {
        "datasets": (lambda v: v in recipes, f"one of the recipes {', '.join(map(str, recipes))}"),
        "methods": (lambda v: v in METHODS, f"one of {', '.join(METHODS)}"),
        "seeds": (lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0, "a whole number >= 0"),
    }
    for axis, (accepts, sentence) in allowed.items():
        values = params.get(axis)
        if values is None and axis not in params:
            continue
        if not isinstance(values, list) or not values:
            yield f"{axis} = {brief(values)}: must be a list with at least one entry, each {sentence}"
            continue
        for i, value in enumerate(values):
            if not isinstance(value, Hashable) or not accepts(value):
                hint = _without_row(value) if axis == "methods" else ""
                hint += " (a name is text: write it in quotes)" * (axis == "datasets" and not isinstance(value, str))
                yield f"{axis} = {brief(value)}: must be {sentence}{hint}"
            elif value in values[:i]:
                yield f"{axis} = {brief(value)}: stands in the list twice"


def _section_faults(kind: type[Section], section: Any, name: str) -> Iterator[str]:
    try:
        kind.model_validate(section)
    except ValidationError as error:
        yield from sentences(error, name)


def _ood_faults(params: Mapping[str, Any]) -> Iterator[str]:
    """Data sets to compare with that do not exist, or are compared with themselves. The params are otherwise sound."""
    recipes = params["recipes"]
    for dataset in (None, *recipes):
        where = "uncertainty.ood" if dataset is None else f"recipes.{dataset}.uncertainty.ood"
        names = resolve(params, "uncertainty", dataset)["ood"]
        if dataset is not None and dataset not in params["datasets"] and names == params["uncertainty"]["ood"]:
            continue  # not its own list, and no job that would use it
        for i, name in enumerate(names):
            if name not in recipes:
                choices = ", ".join(map(str, recipes))
                yield f"{where} = {brief(name)}: must be one of the recipes {choices}{nearest(name, recipes)}"
            elif name == dataset:
                yield f"{where} = {brief(name)}: is the data set itself, which cannot be out of its distribution"
            elif name in names[:i]:
                yield f"{where} = {brief(name)}: stands in the list twice"


def _recipe_faults(
    name: Any, recipe: Any, params: Mapping[str, Any], recipes: Mapping[str, Any], sound: Mapping[str, bool]
) -> Iterator[str]:
    where = f"recipes.{name}"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield (
            f"{where}: a name is text (in quotes where it looks like something else) of letters, digits, '_', '-' and"
            " '.', and begins with a letter or digit"
        )
    if recipe is None:
        return
    if not isinstance(recipe, Mapping):
        yield f"{where} = {brief(recipe)}: must hold sections ({', '.join(SECTIONS)})"
        return
    try:
        line = lineage(recipes, name)
    except Problem as problem:
        yield str(problem)
        line = [name]
    for step, override in recipe.items():
        if step == "like":
            continue
        if step not in SECTIONS or step == "plot":
            choices = ["like", *(section for section in SECTIONS if section != "plot")]
            yield f"{where}.{step}: unknown section{nearest(str(step), choices)}; known are {', '.join(choices)}"
        elif override is not None and not isinstance(override, Mapping):
            yield f"{where}.{step} = {brief(override)}: must hold keys of section {step}"
        elif sound.get(step):
            section = _inherited(params[step], recipes, line, step)
            yield from _section_faults(SECTIONS[step], section, f"{where}.{step}")


def lineage(recipes: Mapping[str, Any], name: Any) -> list[Any]:
    """A recipe and those it is `like`, the root first. Raises: Problem when one is missing or they go in a circle."""
    line = [name]
    while isinstance(recipe := recipes.get(line[0]), Mapping) and (other := recipe.get("like")) is not None:
        where = f"recipes.{line[0]}.like = {brief(other)}"
        if not isinstance(other, str) or other not in recipes:
            names = [str(name) for name in recipes]
            raise Problem(f"{where}: no such recipe{nearest(str(other), names)}; there are {', '.join(names)}")
        if other in line:
            raise Problem(f"{where}: a recipe cannot be like itself, not even through others")
        line.insert(0, other)
    return line


def _inherited(section: Mapping[str, Any], recipes: Mapping[str, Any], line: list[Any], step: str) -> dict[str, Any]:
    """A step's section with what the recipes of `line` override, one after the other."""
    for name in line:
        override = (recipes.get(name) or {}).get(step) if isinstance(recipes.get(name) or {}, Mapping) else None
        section = merged(section, override if isinstance(override, Mapping) else {})
    return dict(section)


def nearest(word: str, choices: Iterable[str]) -> str:
    matches = get_close_matches(word, list(choices), n=1)
    return f" (did you mean {matches[0]}?)" if matches else ""


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `override`, section by section; neither is changed."""
    out = dict(base)
    for key, value in override.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merged(out[key], value) if both else value
    return out
