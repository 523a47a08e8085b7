"""The command of every DVC stage: bring one step up to date with Snakemake.

DVC has found that the step is stale; Snakemake decides by run.json which of its jobs are. Snakemake does not compare a
result's files with run.json, and DVC would take a damaged file for the new result: it is refused before.
"""

import importlib.util
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which PYTHONSAFEPATH leaves out

if importlib.util.find_spec("snakemake") is None:
    # DVC's shell found a python3 that is not the project's: nothing is activated. Continue with the nearest .venv
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


def main() -> None:
    (step,) = sys.argv[1:]
    if set(str(pipeline.ROOT)) & set("{}"):
        raise Problem(f"DVC cannot work in {pipeline.ROOT}: rename the folder without {{ and }}.")
    config = loading.load("params.yaml")
    for folder in sorted(path.parent for path in pipeline.outputs(step).rglob(record.NAME)):
        try:
            done = record.read(folder)
        except Problem:
            continue  # a damaged record, whose job runs again
        if pipeline.jobs.in_sweep(done, step, config):
            record.verify(folder, *(name for name in done["outputs"] if (folder / name).exists()))
    force = ["--forcerun", step] * forced([process.cmdline() for process in psutil.Process().parents()])
    processes.end_with_parent()  # `dvc repro` that is ended by SIGTERM does not end its commands
    from snakemake import cli  # only here, in this process: it takes a second

    cli.main(["--cores", os.environ.get("CORES", "all"), *force, "--", f"step_{step}"])


def forced(commands: list[list[str]]) -> bool:
    """Tell if one of the command lines is `dvc ... --force`, which DVC does not pass on to the stages' commands."""
    return any(
        any(Path(part).name == "dvc" for part in command[:3])
        and any(part == "--force" or re.fullmatch("-[a-zA-Z]*f[a-zA-Z]*", part) for part in command)
        for command in commands
    )


if __name__ == "__main__":
    run(main)
