"""Results beside their records: are the files as they were written, and do they come out again?"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vi_simsiam.config import loading, recorded
from vi_simsiam.core import git, processes, record
from vi_simsiam.core.errors import Problem


def verify(outputs: Iterable[Path]) -> int:
    """Compare every result with the SHA-256 that its job wrote into run.json; print what differs.

    Args:
        outputs: folders of results.

    Returns: exit status: 0, all files are as they were written; 1, some are not.
    """
    troubles, files = [], 0
    folders = sorted({path.parent for top in outputs for path in top.rglob(record.NAME)})
    for folder in folders:
        try:
            files += len(record.read(folder)["outputs"])
            troubles += [f"{path} {trouble}" for path, trouble in record.damaged(folder)]
        except Problem as problem:
            troubles.append(str(problem))
    for trouble in troubles:
        print(trouble)
    print(f"{files} files of {len(folders)} results, {len(troubles)} not as they were written")
    if troubles:
        print(f"Delete {record.NAME} beside those and run `snakemake --cores all`; `dvc repro` does both.")
    return int(bool(troubles))


def rerun(root: Path, outputs: Mapping[str, Path]) -> int:
    """Make one result again from its run.json, in a git worktree of the commit that made it, and compare.

    With the parameters that the record holds of this job and of all jobs before it. The software is that of the current
    environment; differences are named. Arguments come from the command line.

    Args:
        root: folder of the project.
        outputs: folder of each step's results, relative to it.

    Returns: exit status: 0, every file is the same byte for byte; 1, some are not (on other hardware or with other
        versions numbers round differently).
    Raises: Problem when the result cannot be made.
    """
    parser = argparse.ArgumentParser(description="Make one result again from its run.json alone, and compare.")
    parser.add_argument("record", type=Path, metavar="RUN.JSON", help="of a result, or the result's folder")
    parser.add_argument("--into", type=Path, help="folder to work in, which must not exist (default: in scratch/)")
    parser.add_argument("--cores", default="all", help="for Snakemake (default: all)")
    args = parser.parse_args()
    folder = args.record.parent if args.record.name == record.NAME else args.record
    done = record.read(folder)
    commit = _commit(done, root)
    target = _folder(done, outputs)
    name = "_".join(target.parts[-4:])
    into = (args.into or root / "scratch" / "rerun" / name).absolute()
    if into.exists():
        raise Problem(f"{into} exists: remove it (`git worktree remove --force {into}`) or name another with --into.")
    print(f"making {target} again in {into}", flush=True)
    _git(root, "worktree", "add", "--quiet", "--detach", str(into), commit)
    base = loading.load(into / "params.yaml")
    (into / "params.yaml").write_text(recorded.as_yaml(recorded.params(done, base, root)), encoding="utf-8")
    clean = {key: value for key, value in os.environ.items() if key != "WORKFLOW_PARAMS"}
    command = [sys.executable, "-m", "snakemake", "--cores", args.cores, "--forceall", "--", str(target / record.NAME)]
    if processes.call(command, cwd=into, env=clean) != 0:
        raise Problem(f"the result could not be made again; what there is lies in {into}.")
    again = record.read(into / target)
    for difference in recorded.differences(done, again):
        print(difference, flush=True)
    same, other = recorded.compared(done["outputs"], again["outputs"])
    for line in other:
        print(line)
    print(f"{len(same)} files the same byte for byte, {len(other)} not: {into / target}")
    return int(bool(other))


def _folder(done: dict[str, Any], outputs: Mapping[str, Path]) -> Path:
    """Where the workflow puts the result of a record, relative to the project."""
    parts = [f"seed{done[key]}" if key == "seed" else done[key] for key in record.IDENTITY if key in done]
    return outputs[done["step"]].joinpath(*parts)


def _commit(done: dict[str, Any], root: Path) -> str:
    commit = done.get("git_commit")
    if not commit:
        raise Problem(f"{record.NAME} has no git_commit: the result was made outside a git checkout.")
    if commit.endswith("-dirty"):
        commit = commit.removesuffix("-dirty")
        print(f"the code had uncommitted changes: commit {commit} is near to what made the result, not it", flush=True)
    _git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    return commit


def _git(root: Path, *arguments: str) -> None:
    done = subprocess.run(["git", *git.ANY_OWNER, *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise Problem(f"git {' '.join(arguments)}: {done.stderr.strip()}")
