"""Read and check params.yaml, and choose the parameters of each job.

The Snakefile imports this module on every call, so it imports nothing heavy.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from vi_simsiam.config import encoder_params
from vi_simsiam.config.schema import METHOD_MODULES, METHOD_PARAMS, STEPS, Params, sentences
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import nearest, shorten


def read(path: str | Path) -> Any:
    """Read a YAML file as DVC does: by ruamel.yaml, which is YAML 1.2. Raises: Problem naming the file."""
    try:
        return _parsed(Path(path).read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise Problem(f"{path} cannot be read: {error}. Save it as UTF-8.") from None
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error}") from None


def _parsed(text: str, source: str) -> Any:
    try:
        return YAML(typ="safe").load(text)  # tags and duplicate keys are refused
    except MarkedYAMLError as error:
        place = "" if error.problem_mark is None else f" line {error.problem_mark.line + 1}:"
        fault = ", ".join(filter(None, [error.context, error.problem]))
        raise Problem(f"{source} is not valid YAML:{place} {fault}") from None
    except (YAMLError, ValueError, LookupError, TypeError) as error:  # such as the impossible date 2024-13-01
        raise Problem(f"{source} is not valid YAML: {error}. Write what is text in quotes.") from None


def load(
    path: str | Path = "params.yaml", files: Iterable[str | Path] = (), options: Iterable[str] = ()
) -> dict[str, Any]:
    """Read a parameter file, apply the changes in turn, and check the result.

    Args:
        path: of the parameter file.
        files: further files, each overriding those before it (Snakemake's --configfile).
        options: `key=value` with the value as YAML; they override the files (--config).

    Returns: the mapping, checked.
    Raises: Problem naming the file and every fault in it. The parameter file is also checked before the changes.
    """
    params = read(path)
    check(params, str(path))
    changes = [(str(file), read(file)) for file in files]
    for option in options:
        key, _, text = option.partition("=")
        changes.append(("--config", {key: _parsed(text, f"--config {key}")}))
    for source, change in changes:
        if not isinstance(change, Mapping):
            raise Problem(f"{source}: must hold keys and values, not {shorten(change)}")
        params = merged(params, change)
    if changes:
        check(params, f"{path} with --config or --configfile")
    return params


def check(params: Any, source: str = "params.yaml") -> None:
    """Raise a `Problem` that lists every fault: its key, its value, and what is allowed. `source` names the file."""
    faults = list(dict.fromkeys(_faults(params)))
    if faults:
        raise Problem(f"{source}: " + (faults[0] if len(faults) == 1 else "\n  - ".join(["", *faults])))


def resolve(params: Mapping[str, Any], step: str, dataset: str | None = None, method: str | None = None) -> dict:
    """The parameters of one job: the step's section, overridden by the recipes that its recipe is `like`, then by it.

    Args:
        params: the whole (checked) mapping.
        step: name of the step.
        dataset: name of a recipe; None for the step with one job for all data sets (`plot`).
        method: of a job of `pretrain`, which gets only the parameters that it uses. None: the whole section.
    """
    section, line = dict(params[step]), []
    if dataset is not None:
        line = lineage(params["recipes"], dataset)
        section = _inherited(section, params["recipes"], line, step)
    if step == "pretrain" and method is not None:
        section["backbone"] = encoder_params.used(section["backbone"], method)
        section = {key: value for key, value in section.items() if key in METHOD_PARAMS[method].model_fields}
    if step == "download" and section.get("source") is None:
        # A variant (`like`) has the images of the recipe that it varies.
        section["source"] = next(iter(line), None) if section.get("path") is None else "files"
    return section


def _faults(params: Any) -> Iterator[str]:
    for method in METHOD_PARAMS:
        module = METHOD_MODULES / f"{method}.py"
        if not module.is_file():
            yield (
                f"METHOD_PARAMS in config/schema.py has method {method}, but there is no methods/{method}.py: write it"
            )
        # An import of the module would take seconds.
        elif not re.search(r"^METHOD\b", module.read_text(encoding="utf-8"), re.MULTILINE):
            yield f"methods/{method}.py has no METHOD: end it with `METHOD = ` and the method's class"
    if not isinstance(params, Mapping):
        yield f"the file must hold keys and values, not {shorten(params)}"
        return
    recipes = params.get("recipes")
    whole, context, sound = dict(params), None, True
    if isinstance(recipes, Mapping):
        whole["recipes"], context = {}, {"recipes": list(recipes)}
        spellings: dict[str, str] = {}
        for name in map(str, recipes):
            if (other := spellings.setdefault(name.casefold(), name)) != name:
                yield f"recipes {other} and {name} differ only in case, and some disks give both one folder: rename one"
        for name, recipe in recipes.items():
            try:
                line = lineage(recipes, name)
            except Problem as problem:
                yield str(problem)
                line, sound = [name], False
            whole["recipes"][name] = _with_sections(recipe, params, line)
    try:
        Params.model_validate(whole, context=context)
    except ValidationError as error:
        yield from sentences(error, Params)
        sound = False
    for name in recipes or () if sound else ():
        ood = resolve(params, "uncertainty", name)["ood"]
        # The section's list is for all data sets: it may name a recipe that no job of the run uses.
        if name in ood and (name in params["datasets"] or ood != params["uncertainty"]["ood"]):
            yield (
                f"recipes.{name}.uncertainty.ood = {name!r}: is the data set itself, which cannot be out of its "
                "distribution"
            )


def _with_sections(recipe: Any, params: Mapping[str, Any], line: list[Any]) -> Any:
    """A recipe with all values of each section that it changes, including those inherited through `line`."""
    if not isinstance(recipe, Mapping):
        return {} if recipe is None else recipe
    whole = {key: value for key, value in recipe.items() if value is not None}
    for step in STEPS:
        if isinstance(whole.get(step), Mapping) and isinstance(params.get(step), Mapping):
            whole[step] = _inherited(params[step], params["recipes"], line, step)
    return {key: value for key, value in whole.items() if key != "like"}  # `lineage` checks that


def lineage(recipes: Mapping[str, Any], name: Any) -> list[Any]:
    """A recipe and those it is `like`, the root first. Raises: Problem when one is missing or they go in a circle."""
    line = [name]
    while isinstance(recipe := recipes.get(line[0]), Mapping) and (other := recipe.get("like")) is not None:
        where = f"recipes.{line[0]}.like = {shorten(other)}"
        if not isinstance(other, str) or other not in recipes:
            names = [str(name) for name in recipes]
            raise Problem(f"{where}: no such recipe{nearest(str(other), names)}. Name one of {', '.join(names)}.")
        if other in line:
            raise Problem(f"{where}: a recipe cannot be like itself, not even through others. Change one `like`.")
        line.insert(0, other)
    return line


def _inherited(section: Mapping[str, Any], recipes: Mapping[str, Any], line: list[Any], step: str) -> dict[str, Any]:
    """A step's section with what the recipes of `line` override, one after the other."""
    for name in line:
        recipe = recipes.get(name)
        override = recipe.get(step) if isinstance(recipe, Mapping) else None
        section = merged(section, override if isinstance(override, Mapping) else {})
    return dict(section)


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `override`, section by section; neither is changed."""
    out = dict(base)
    for key, value in override.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merged(out[key], value) if both else value
    return out
