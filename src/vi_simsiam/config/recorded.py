"""From the record of a result back to the params.yaml that makes it again, and in what two records differ."""

import json
from pathlib import Path
from typing import Any

import yaml

from vi_simsiam.config import encoders, loading
from vi_simsiam.core import record

# Files of the project's own folder that parameters may name: (section, key).
_PATHS = (("download", "path"), ("download", "classes"), ("uncertainty", "soft_labels"))


def params(done: dict[str, Any], base: dict[str, Any], root: Path) -> dict[str, Any]:
    """The params.yaml with which the workflow makes the result of a record.

    Args:
        done: the record.
        base: the parameters of the commit that made it; what the record's jobs were not given stays as it is there.
        root: folder of the project, where relative paths begin.
    """
    made = [*done["made_from"].values(), done]
    recipes: dict[str, Any] = {}
    for job in made:
        if "dataset" in job:
            section = recipes.setdefault(job["dataset"], {}).setdefault(job["step"], {})
            if "backbone" in job["params"]:
                section["backbone"] = section.get("backbone", {}) | job["params"]["backbone"]
            section |= {key: value for key, value in job["params"].items() if key != "backbone"}
    for recipe in recipes.values():
        for section, key in _PATHS:
            if (path := recipe.get(section, {}).get(key)) is not None:
                recipe[section][key] = str((root / Path(path).expanduser()).absolute())
        if recipe.get("download", {}).get("path") is not None:
            recipe["download"]["source"] = None  # the job was given what `path` stands for
        if (backbone := recipe.get("pretrain", {}).get("backbone")) is not None:
            recipe["pretrain"]["backbone"] = _with_defaults(backbone, base["pretrain"]["backbone"], root)
    jobs = [job for job in made if "method" in job] or made
    axes = {
        axis: sorted({job[key] for job in jobs if key in job}) or base[axis]
        for axis, key in zip(loading.AXES, record.IDENTITY, strict=True)
    }
    plot = {"plot": done["params"]} if done["step"] == "plot" else {}
    return json.loads(json.dumps({**base, **axes, **plot, "recipes": recipes}))


def _with_defaults(backbone: dict[str, Any], base: dict[str, Any], root: Path) -> dict[str, Any]:
    """A job's section `backbone` with the defaults that it was not handed, as far as its commit had such parameters."""
    out = {key: value for key, value in encoders.OPTIONAL.items() if key in base} | backbone
    if (weights := out.get("weights")) not in (None, encoders.PRETRAINED):
        out["weights"] = str((root / Path(weights).expanduser()).absolute())
    return out


class _Quoting(yaml.SafeDumper):
    """Writes every text in quotes."""


_Quoting.add_representer(str, lambda self, text: self.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def as_yaml(value: Any) -> str:
    """Parameters as YAML that every reader reads alike: all texts in quotes, names too."""
    return yaml.dump(value, Dumper=_Quoting, sort_keys=False)


def differences(done: dict[str, Any], again: dict[str, Any]) -> list[str]:
    """A line for each thing, other than the result, in which two records differ so that numbers may."""
    before = {**done["versions"], **{key: done.get(key) for key in ("python", "platform", "device")}}
    now = {**again["versions"], **{key: again.get(key) for key in ("python", "platform", "device")}}
    lines = [f"{key}: {before.get(key)} then, {now[key]} now" for key in now if before.get(key) != now[key]]
    if done["params"] != again["params"]:
        lines.append(f"params: {json.dumps(done['params'])} then, {json.dumps(again['params'])} now")
    return lines


def compared(before: dict[str, str], now: dict[str, str]) -> tuple[list[str], list[str]]:
    """Names of the files that are the same, and a line for each that is not."""
    same = [name for name in before if before[name] == now.get(name)]
    other = [f"{name}: {'differs' if name in now else 'was not made'}" for name in before if name not in same]
    return same, other + [f"{name}: was not there before" for name in now if name not in before]
