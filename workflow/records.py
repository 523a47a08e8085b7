"""Snakemake asks run.json whether a result is current, as DVC's stages do, instead of its records.

Snakemake's records lie in .snakemake, which no clone has, and they know nothing of what DVC does to the files.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import snakemake.api  # the first of these, which import each other
import snakemake.dag
import snakemake.jobs
import snakemake.workflow
from snakemake.jobs import Reason
from snakemake.persistence.file import FilePersistence

import run_lock
from pipeline import ROOT, sentences
from vi_simsiam.core import record
from vi_simsiam.core.errors import Problem

# A rule's params that are entries of the record under the same name, beside its config.
_ENTRIES = ("images_state", "soft_labels", "weights", "runs")


class Records(FilePersistence):
    """Snakemake's questions about a job's result, answered from run.json; a kernel lock instead of Snakemake's lock."""

    def __init__(self, *, dag: Any, nolock: bool = False, warn_only: bool = False, **arguments: Any):
        if dag.workflow.output_settings.dryrun:
            # Snakemake makes its folders in a dry run too; in a temporary folder, a read-only project can be planned.
            self._nowhere = tempfile.TemporaryDirectory()
            arguments["path"] = Path(self._nowhere.name)
        super().__init__(dag=dag, nolock=nolock, warn_only=warn_only, **arguments)
        runs_jobs = dag.workflow.execution_settings is not None
        with sentences():
            self._locked = runs_jobs and not nolock and not warn_only and run_lock.take(ROOT)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        with contextlib.nullcontext() if self._locked else super().lock():
            yield

    async def incomplete(self, job: Any) -> list[Any]:
        return []  # files that a killed job leaves under final names are an earlier result or have no record

    def has_metadata(self, job: Any) -> bool:
        return True

    def has_outdated_metadata(self, job: Any) -> bool:
        return False

    def params_changed(self, job: Any, file: Any = None) -> str | None:
        """Why the result is not the one that the job would make now; None: it is current."""
        folder = _folder(job)
        if folder is None:
            return None
        wanted = {name: value for name, value in job.params.items() if name in _ENTRIES}
        if "runs" in wanted:
            wanted["runs"] = list(wanted["runs"])  # from Snakemake's kind of list
        wanted |= {name: int(value) if name == "seed" else value for name, value in job.wildcards.items()}
        return record.why_stale(folder, job.input, step=job.rule.name, params=json.loads(job.params.config), **wanted)

    def code_changed(self, job: Any, file: Any = None) -> Any:
        return False if file else []

    input_changed = software_stack_changed = code_changed

    def input_checksums(self, job: Any, input_path: Any) -> set[str | None]:
        """The SHA-256 of an input that the job has read; Snakemake compares it with that of a newer input."""
        try:
            checksum = record.read(_folder(job) or Path())["inputs"].get(str(input_path))
        except Problem:
            checksum = None
        return {checksum and f"sha256:{checksum}"}


class _PlainReason(Reason):
    """Why a job runs, in the words of `why_stale`; Snakemake would always say that params have changed."""

    __slots__ = ()

    def __str__(self) -> str:
        return super().__str__().replace("Params have changed since last execution: ", "")

    def get_names(self) -> Iterator[str]:
        for name in super().get_names():
            yield str(self.params_changed) if name == "params have changed since last execution" else name


async def _remove_logs_alone(job: Any) -> None:
    """Keep an earlier result until the job has replaced it (`core.record.new_result`)."""
    for file in job.log:
        await file.remove()


async def _keep_outputs(job: Any, skip_outputs: Any) -> None:
    """Keep an earlier result when the job has failed; it has left nothing under final names."""


def install() -> None:
    """Let Snakemake use these classes. Called while the Snakefile is read, before Snakemake makes instances."""
    snakemake.workflow.FilePersistence = Records
    snakemake.dag.Reason = _PlainReason
    snakemake.jobs.Job.remove_existing_output = _remove_logs_alone
    snakemake.jobs.Job.cleanup = _keep_outputs


def _folder(job: Any) -> Path | None:
    return next((Path(file).parent for file in job.output if Path(file).name == record.NAME), None)
