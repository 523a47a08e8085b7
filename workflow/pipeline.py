"""Shared by both engines: the stages of dvc.yaml, the start of a run, and its checked parameters."""

import contextlib
import functools
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
sys.path.insert(0, str(SRC))

import jobs  # noqa: E402
import run_lock  # noqa: E402
from vi_simsiam.config import loading  # noqa: E402
from vi_simsiam.core import command, environment, files, processes  # noqa: E402
from vi_simsiam.core.errors import Problem  # noqa: E402
from vi_simsiam.evaluation import scores  # noqa: E402
from vi_simsiam.report.claim_rows import check_claims  # noqa: E402
from vi_simsiam.report.figures.registry import FIGURES  # noqa: E402

_PLANNED = "WORKFLOW_PARAMS"

# A training takes a GPU of this machine; without a GPU, trainings run side by side, one per core.
GPU = int(processes.has_gpu())


def stages() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def outputs(step: str) -> Path:
    """Output folder of the DVC stage."""
    (out,) = stages()[step]["outs"]
    return Path(next(iter(out)))


def gpu_limit(workflow: Any) -> int | None:
    """The cap on `gpu` of a run on this machine; None without a GPU, on a cluster, in jobs, and where none is set."""
    if not GPU or not workflow.is_main_process or not workflow.local_exec:
        return None
    limit = workflow.global_resources.get("gpu")
    return None if limit is None else limit.value


def begin(workflow: Any) -> dict[str, Any]:
    """Start a run: refuse another folder for results, and let `python` in the rules be this interpreter on this tree.

    A dry run writes nothing.

    Args:
        workflow: Snakemake's, of the process that reads the Snakefile: of a run, or of a job on a cluster.

    Returns: the checked parameters. Only this project reads them: Snakemake reads the values of --config as text, which
        a second reading could change. A job gets the parameters with which its run was planned, see `_store_planned`.
    Raises: Problem.
    """
    if Path.cwd() != ROOT:
        raise Problem(
            f"results lie beside the Snakefile: run snakemake in {ROOT}, without --directory. To have them elsewhere,"
            " put the project there (`git worktree add PATH`)."
        )
    remarks = environment.begin_run()
    # Also where the environment is not activated, as in `.venv/bin/snakemake`.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    # A copy or a worktree imports its sources, even where the environment has those of another tree installed.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SRC), os.environ.get("PYTHONPATH")]))
    command.show_missing_letters()
    run_lock.tie_jobs(ROOT)
    for handler in workflow.logger_manager.logger.handlers:
        handler.emit = _ignoring_lost_readers(handler.emit)
    if not workflow.is_main_process and _PLANNED in os.environ:
        run_lock.check_run(ROOT)
        return json.loads(Path(os.environ[_PLANNED]).read_text(encoding="utf-8"))
    given = workflow.config_settings
    for sentence in remarks:
        print(f"warning: {sentence}", file=sys.stderr)
    if given.replace_workflow_config:
        raise Problem("--replace-workflow-config: params.yaml is always read. Change values of it with --configfile.")
    config = planned(given.configfiles, given.config_args or ())
    jobs.check_gpus(config, gpu_limit(workflow))
    if workflow.is_main_process and not workflow.output_settings.dryrun:
        _store_planned(config)
    return config


def _ignoring_lost_readers(emit: Callable[[Any], None]) -> Callable[[Any], None]:
    """Let the run go on when a reader of Snakemake's messages such as `head` closes the pipe."""

    def emit_or_not(message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            emit(message)

    return emit_or_not


def planned(files: Iterable[str | Path] = (), options: Iterable[str] = ()) -> dict[str, Any]:
    """The parameters of a run: params.yaml, and what --configfile and --config change (arguments as `loading.load`).

    Raises: Problem for faults in them, and for files that they name and that do not exist.
    """
    config = loading.load("params.yaml", files, options)
    for method in config["methods"]:
        scores.require_rows(method, scores.stated(method))
    check_claims()
    for dataset in config["datasets"]:
        jobs.images_state(config, dataset)
        jobs.soft_labels(config, dataset)
        jobs.weights(config, dataset)
    return config


def _store_planned(config: dict) -> None:
    """Store the parameters for the run's jobs, which find the file by the environment (inherited, sbatch --export=ALL).

    A job on a cluster parses the Snakefile again, minutes or hours after planning. If params.yaml was edited meanwhile,
    it would train with the new values while Snakemake records the old ones.
    """
    text = json.dumps(config)
    copy = Path(".snakemake/params") / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    with files.replacing(copy) as temporary:
        temporary.write_text(text, encoding="utf-8")
    os.environ[_PLANNED] = str(copy)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Let a Problem end the run with only its message; Snakemake would add lines of source code."""
    try:
        yield
    except Problem as problem:
        sys.exit(f"error: {problem}")


def caption(figure: str) -> str:
    """Path of the caption that the report shows with a figure (Snakemake takes captions only from files)."""
    path = Path(_captions().name, f"{figure}.rst")
    path.write_text(FIGURES[figure].caption, encoding="utf-8")
    return str(path)


@functools.cache
def _captions() -> tempfile.TemporaryDirectory:
    """A folder that is removed with this process: one in the project may belong to another user."""
    return tempfile.TemporaryDirectory()
