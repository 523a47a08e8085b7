"""Snakemake asks run.json whether a result is current, as DVC's stages do, instead of records of its own.

Its own lie in .snakemake, which no clone has, and know nothing of what DVC does to the files.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import snakemake.workflow
from snakemake.persistence.file import FilePersistence

from vi_simsiam.core import record
from vi_simsiam.core.errors import Problem

# A rule's params that are entries of the record under the same name, beside its config.
_ENTRIES = ("code", "images_state", "soft_labels", "weights", "runs")


class Records(FilePersistence):
    """What Snakemake wants to know of a job's result, answered from run.json; locks and unfinished jobs as ever."""

    def __init__(self, *, dag: Any, **arguments: Any):
        if dag.workflow.output_settings.dryrun:
            # Snakemake makes its folders even then; elsewhere, a project that may only be read can be looked at.
            self._nowhere = tempfile.TemporaryDirectory()
            folder = Path(self._nowhere.name)
            for name in ("locks", "incomplete"):
                if (there := Path(".snakemake", name)).is_dir():
                    (folder / name).symlink_to(there.absolute())
            arguments["path"] = folder
        super().__init__(dag=dag, **arguments)

    def has_metadata(self, job: Any) -> bool:
        return True

    def has_outdated_metadata(self, job: Any) -> bool:
        return False

    def params_changed(self, job: Any, file: Any = None) -> str | None:
        """Why the result is not what the job would make now; Snakemake prints it. None: it is."""
        folder = _folder(job)
        if folder is None:
            return None
        entries = {name: value for name, value in job.params.items() if name in _ENTRIES}
        if "runs" in entries:
            entries["runs"] = list(entries["runs"])  # Snakemake has lists of its own kind
        return record.differs(folder, job.input, params=json.loads(job.params.config), **entries)

    def code_changed(self, job: Any, file: Any = None) -> Any:
        return False if file else []

    input_changed = software_stack_changed = code_changed

    def input_checksums(self, job: Any, input_path: Any) -> set[str | None]:
        """The SHA-256 of an input that the job has read, with which Snakemake compares one that is newer."""
        try:
            checksum = record.read(_folder(job) or Path())["inputs"].get(str(input_path))
        except Problem:
            checksum = None
        return {checksum and f"sha256:{checksum}"}


def ask_for_them() -> None:
    """To be called while the Snakefile is read, before Snakemake makes its records."""
    snakemake.workflow.FilePersistence = Records


def _folder(job: Any) -> Path | None:
    return next((Path(file).parent for file in job.output if Path(file).name == record.NAME), None)
