"""The command of every DVC stage: bring one step up to date with Snakemake.

DVC has found that the step is stale; Snakemake decides by run.json which of its jobs are. Snakemake does not compare a
result's files with run.json, and DVC would take a damaged file for a new result, so damaged files are refused first.
DVC reads parameters and sources after the command has ended: if they were edited meanwhile, it would record the new
ones with results of the old ones, so the command then fails.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # PYTHONSAFEPATH leaves it out

if importlib.util.find_spec("snakemake") is None:
    # No environment is activated, so DVC's shell found another python3. Continue with the nearest .venv
    # (`dvc exp run --temp` works in a copy below the repository).
    for folder in Path(__file__).resolve().parents:
        python = folder / ".venv" / "bin" / "python"
        if python.exists() and Path(sys.prefix) != folder / ".venv":
            os.execv(python, [str(python), *sys.argv])
    sys.exit(f"error: {sys.executable} has no snakemake. Activate the environment that has it, or `make run` once.")

import psutil

import pipeline
from vi_simsiam.config import loading
from vi_simsiam.core import processes, record
from vi_simsiam.core.command import run
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import sha256
from vi_simsiam.core.text import several


def main() -> None:
    (step,) = sys.argv[1:]
    if set(str(pipeline.ROOT)) & set("{}"):
        raise Problem(f"DVC cannot work in {pipeline.ROOT}: rename the folder without {{ and }}.")
    config = loading.load("params.yaml")
    for folder, done in _records(step, config):
        record.verify(folder, *(name for name in done["outputs"] if (folder / name).exists()))
    before = _decided_by(step, config)
    force = ["--forcerun", step] * forced([process.cmdline() for process in psutil.Process().parents()])
    processes.end_with_parent()  # `dvc repro` does not end its commands when it gets SIGTERM
    from snakemake import cli  # not at the top: the import takes a second

    try:
        cli.main(["--cores", os.environ.get("CORES", "all"), *force, "--", f"step_{step}"])
    except SystemExit as ended:
        if ended.code:
            raise
    after = _decided_by(step, loading.load("params.yaml"))
    code = {f"src/{name}" for _, done in _records(step, config) for name in done.get("code") or ()}
    edited = [name for name in before | after if before.get(name) != after.get(name)]
    if edited := [name for name in edited if not name.startswith("src/") or name in code]:
        raise Problem(
            f"{several(edited)} changed while step {step} ran. Its results are of what was there at the start: run "
            "`dvc repro` again."
        )


def _records(step: str, config: dict) -> Iterator[tuple[Path, dict]]:
    """Folder and record of each result of the step that the lists of the parameters contain."""
    for folder in sorted(path.parent for path in pipeline.outputs(step).rglob(record.NAME)):
        try:
            done = record.read(folder)
        except Problem:
            continue  # a damaged record, whose job runs again
        if pipeline.jobs.in_sweep(done, step, config):
            yield folder, done


def _decided_by(step: str, config: dict) -> dict[str, Any]:
    """Lists and parameters of a step's jobs, and SHA-256 of each source file, by their names in messages."""
    lists = {"datasets", "methods", "seeds"}.intersection(pipeline.stages()[step]["params"])
    found = {f"{name} in params.yaml": config[name] for name in sorted(lists)}
    datasets = pipeline.jobs.all_datasets(config) if step in ("download", "cache_views") else config["datasets"]
    for dataset in [None] if step == "plot" else datasets:
        for method in config["methods"] if step == "pretrain" else [None]:
            of = " of ".join(filter(None, (step, method, dataset)))
            found[f"{of} in params.yaml"] = pipeline.jobs.as_json(step, config, dataset, method)
    for path in sorted(pipeline.SRC.rglob("*.*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found[f"src/{path.relative_to(pipeline.SRC).as_posix()}"] = sha256(path)
    return found


def forced(commands: list[list[str]]) -> bool:
    """True if one of the command lines is `dvc ... --force`, which DVC does not pass on to the stages' commands."""
    return any(
        any(Path(part).name == "dvc" for part in command[:3])
        and any(part == "--force" or re.fullmatch("-[a-zA-Z]*f[a-zA-Z]*", part) for part in command)
        for command in commands
    )


if __name__ == "__main__":
    run(main)
