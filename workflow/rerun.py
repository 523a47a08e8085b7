"""Make one result again from its run.json alone, and compare: `python workflow/rerun.py results/.../run.json`.

In a git worktree of the commit that made it, below scratch/, with the parameters that the record holds of this job and
of all jobs before it. The software is that of the current environment; differences are named.

Exit status: 0, every file is the same byte for byte; 1, some are not (on other hardware or versions numbers round
differently), or the result could not be made; 2, the arguments are wrong.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

import pipeline
import stopping
from vi_simsiam.config import loading
from vi_simsiam.core import git, record
from vi_simsiam.core.errors import Problem

# Files of the project's own folder that parameters may name: (section, key).
_PATHS = (("download", "path"), ("download", "classes"), ("uncertainty", "soft_labels"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("record", type=Path, metavar="RUN.JSON", help="of a result, or the result's folder")
    parser.add_argument("--into", type=Path, help="folder to work in, which must not exist (default: in scratch/)")
    parser.add_argument("--cores", default="all", help="for Snakemake (default: all)")
    args = parser.parse_args()
    folder = args.record.parent if args.record.name == record.NAME else args.record
    done = record.read(folder)
    commit = _commit(done)
    target = result_folder(done)
    name = "_".join(target.parts[-4:])
    into = (args.into or pipeline.ROOT / "scratch" / "rerun" / name).absolute()
    if into.exists():
        raise Problem(f"{into} exists: remove it (`git worktree remove --force {into}`) or name another with --into.")
    print(f"making {target} again in {into}", flush=True)
    _git("worktree", "add", "--quiet", "--detach", str(into), commit)
    base = loading.load(into / "params.yaml")
    (into / "params.yaml").write_text(_as_yaml(params(done, base)), encoding="utf-8")
    clean = {key: value for key, value in os.environ.items() if key != "WORKFLOW_PARAMS"}
    command = [sys.executable, "-m", "snakemake", "--cores", args.cores, "--forceall", "--", str(target / record.NAME)]
    if stopping.call(command, cwd=into, env=clean) != 0:
        raise Problem(f"the result could not be made again; what there is lies in {into}.")
    again = record.read(into / target)
    for difference in differences(done, again):
        print(difference, flush=True)
    same, other = compared(done["outputs"], again["outputs"])
    for line in other:
        print(line)
    print(f"{len(same)} files the same byte for byte, {len(other)} not: {into / target}")
    return int(bool(other))


def result_folder(done: dict[str, Any]) -> Path:
    """Where the workflow puts the result of a record, relative to the project."""
    (top,) = pipeline.outputs(done["step"])
    return top.joinpath(*(f"seed{done[key]}" if key == "seed" else done[key] for key in record.IDENTITY if key in done))


def params(done: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """The params.yaml with which the workflow makes the result of a record.

    Args:
        done: the record.
        base: the parameters of the commit that made it; what the record's jobs were not given stays as it is there.
    """
    made = [*done["made_from"].values(), done]
    recipes: dict[str, Any] = {}
    for job in made:
        if "dataset" in job:
            section = recipes.setdefault(job["dataset"], {}).setdefault(job["step"], {})
            section |= job["params"]
    for recipe in recipes.values():
        for section, key in _PATHS:
            if (path := recipe.get(section, {}).get(key)) is not None:
                recipe[section][key] = str((pipeline.ROOT / Path(path).expanduser()).absolute())
        if recipe.get("download", {}).get("path") is not None:
            recipe["download"]["source"] = None  # the job was given what `path` stands for
    about = [job for job in made if "method" in job] or made
    axes = {
        axis: sorted({job[key] for job in about if key in job}) or base[axis]
        for axis, key in zip(loading.AXES, record.IDENTITY, strict=True)
    }
    plot = {"plot": done["params"]} if done["step"] == "plot" else {}
    return json.loads(json.dumps({**base, **axes, **plot, "recipes": recipes}))


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


def _as_yaml(value: Any) -> str:
    """Parameters as YAML that every reader reads alike: all texts in quotes, names too."""
    dumper = type("_Quoting", (yaml.SafeDumper,), {})
    dumper.add_representer(str, lambda self, text: self.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    return yaml.dump(value, Dumper=dumper, sort_keys=False)


def _commit(done: dict[str, Any]) -> str:
    commit = done.get("git_commit")
    if not commit:
        raise Problem(f"{record.NAME} has no git_commit: the result was made outside a git checkout.")
    if commit.endswith("-dirty"):
        commit = commit.removesuffix("-dirty")
        print(f"the code had uncommitted changes: commit {commit} is near to what made the result, not it", flush=True)
    _git("cat-file", "-e", f"{commit}^{{commit}}")
    return commit


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *git.ANY_OWNER, *arguments], cwd=pipeline.ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Problem(f"git {' '.join(arguments)}: {done.stderr.strip()}")


if __name__ == "__main__":
    with pipeline.sentences():
        sys.exit(main())
