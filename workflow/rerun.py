"""Make one result again from its run.json alone, and compare: `python workflow/rerun.py results/.../run.json`.

In a git worktree of the commit that made it, below scratch/, with the parameters that the record holds of this job and
of all jobs before it. The software is that of the current environment; differences are named.

Exit status: 0, every file is the same byte for byte; 1, some are not (on other hardware or versions numbers round
differently), or the result could not be made; 2, the arguments are wrong.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pipeline
import stopping
from vi_simsiam.config import loading, recorded
from vi_simsiam.core import git, record
from vi_simsiam.core.errors import Problem


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
    (into / "params.yaml").write_text(recorded.as_yaml(recorded.params(done, base, pipeline.ROOT)), encoding="utf-8")
    clean = {key: value for key, value in os.environ.items() if key != "WORKFLOW_PARAMS"}
    command = [sys.executable, "-m", "snakemake", "--cores", args.cores, "--forceall", "--", str(target / record.NAME)]
    if stopping.call(command, cwd=into, env=clean) != 0:
        raise Problem(f"the result could not be made again; what there is lies in {into}.")
    again = record.read(into / target)
    for difference in recorded.differences(done, again):
        print(difference, flush=True)
    same, other = recorded.compared(done["outputs"], again["outputs"])
    for line in other:
        print(line)
    print(f"{len(same)} files the same byte for byte, {len(other)} not: {into / target}")
    return int(bool(other))


def result_folder(done: dict[str, Any]) -> Path:
    """Where the workflow puts the result of a record, relative to the project."""
    (top,) = pipeline.outputs(done["step"])
    return top.joinpath(*(f"seed{done[key]}" if key == "seed" else done[key] for key in record.IDENTITY if key in done))


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
