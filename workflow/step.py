"""The command of every DVC stage: bring one step up to date with Snakemake.

DVC has found that the step is stale; Snakemake decides which of its jobs are. Snakemake compares the *contents* of an
input with its record only if that input is newer than the output, and DVC moves dates around (checkout, unprotect), so:
  1. drop the run.json of results made with other parameters, and every file that is not as its job wrote it, whatever
     Snakemake's records say: their jobs rerun;
  2. make the step's results look older than any input, so that Snakemake must compare contents (a result without a
     record is then redone);
  3. afterwards date them now: they are verified, and later calls are cheap again.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

if importlib.util.find_spec("snakemake") is None:
    # DVC's shell found a python3 that is not the project's: nothing is activated. Continue with the nearest .venv
    # (`dvc exp run --temp` works in a copy below the repository).
    for folder in Path(__file__).resolve().parents:
        python = folder / ".venv" / "bin" / "python"
        if python.exists() and Path(sys.prefix) != folder / ".venv":
            os.execv(python, [str(python), *sys.argv])
    sys.exit(f"error: {sys.executable} has no snakemake. Activate the environment that has it, or `make run` once.")

import dead_runs
import pipeline
import stopping
from vi_simsiam.core import record

LONG_AGO = 86400  # s, 2 January 1970


def main() -> None:
    (step,) = sys.argv[1:]
    if set(str(pipeline.ROOT)) & set("{}"):
        raise pipeline.Problem(f"DVC cannot work in {pipeline.ROOT}: rename the folder without {{ and }}.")
    dead_runs.clear(pipeline.ROOT)
    if dead_runs.locked():  # Snakemake would say so too, but after the changes below
        raise pipeline.Problem(
            "this folder cannot be locked: another run works in it. "
            "Wait for its end; if it was killed, also on another machine, `snakemake --unlock`."
        )
    config = pipeline.params_file.load("params.yaml")
    for path in results(step):
        if path.name == record.NAME:
            drop_what_is_no_result(path, step, config)
    for path in results(step):
        os.utime(path, (LONG_AGO, LONG_AGO))
    cores = os.environ.get("CORES", "all")
    status = stopping.call([sys.executable, "-m", "snakemake", "--cores", cores, "--", f"step_{step}"])
    if status == 0:
        for path in results(step):
            os.utime(path)
    sys.exit(status)


def results(step: str) -> list[Path]:
    """Every file in the output folders of the stage."""
    return [path for folder in pipeline.outputs(step) for path in folder.rglob("*") if path.is_file()]


def drop_what_is_no_result(path: Path, step: str, config: dict) -> None:
    """Remove from the folder of a record, `path`, what was made with other parameters or has been damaged since."""
    try:
        done = record.read(path.parent)
    except pipeline.Problem as problem:
        print(f"made again: {problem}", flush=True)
        path.unlink()
        return
    if not asked_for(done, step, config):
        return  # results that are not asked for stay as they are
    wanted = pipeline.job_config(step, config, done.get("dataset"), done.get("method"))
    if done["params"] != json.loads(wanted):
        path.unlink()
        return
    for file, trouble in record.damaged(path.parent):
        print(f"made again: {file} {trouble}", flush=True)
        file.unlink(missing_ok=True)
        path.unlink(missing_ok=True)  # not every file is an output that Snakemake knows by name: the record is


def asked_for(done: dict, step: str, config: dict) -> bool:
    """Whether the sweep lists ask for the job of a record."""
    datasets = pipeline.stored(config) if step in ("download", "cache_views") else config["datasets"]
    lists = {"dataset": datasets, "method": config["methods"], "seed": config["seeds"]}
    return all(done[name] in asked for name, asked in lists.items() if name in done)


if __name__ == "__main__":
    with pipeline.sentences():
        main()
